"""Asset `reference/airports`: the world's airports, from the package `airportsdata`."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.resources import Platform
from flight_platform.history.sql import query


def airport_row(airport: Mapping[str, Any]) -> tuple[object, ...]:
    """An entry of `airportsdata` as a row of `reference.airports`; an empty text is unknown."""
    iata, city, country = (airport[name] or None for name in ("iata", "city", "country"))
    place = (airport["lat"], airport["lon"], round(airport["elevation"]))
    return (airport["icao"], iata, airport["name"] or airport["icao"], city, country, *place)


@dg.asset(
    key=["reference", "airports"],
    group_name="reference",
    kinds={"postgres"},
    owners=["team:platform"],
    retry_policy=dg.RetryPolicy(max_retries=2, delay=10),
    description=(
        "`reference.airports`: place, elevation and codes of 28,000 airports, replaced as a whole in one transaction "
        "once a week. Source: the package `airportsdata` (MIT), which comes with the platform."
    ),
)
def reference_airports(platform: Platform) -> dg.MaterializeResult[Any]:
    """Replaces the table; readers see the old rows or the new ones, never neither."""
    import airportsdata

    rows = [airport_row(airport) for airport in airportsdata.load("ICAO").values()]
    with platform.connect() as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute(query("airports_clear"))
        with cursor.copy(query("airports_copy")) as copy:
            for row in rows:
                copy.write_row(row)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "with IATA code": sum(row[1] is not None for row in rows),
            "release": airportsdata.__version__,
        }
    )
