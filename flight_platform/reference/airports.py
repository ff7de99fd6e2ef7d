"""The world's airports from the package `airportsdata`, as rows of `reference.airports`."""

from collections.abc import Iterator, Mapping
from typing import Any


def airport_rows() -> Iterator[tuple[object, ...]]:
    """All airports with an ICAO location indicator."""
    import airportsdata  # 28,000 entries are read when it is asked

    return map(airport_row, airportsdata.load("ICAO").values())


def airport_row(airport: Mapping[str, Any]) -> tuple[object, ...]:
    """An entry of `airportsdata` as a row of `reference.airports`; an empty text is unknown."""
    iata, city, country = (airport[name] or None for name in ("iata", "city", "country"))
    place = (airport["lat"], airport["lon"], round(airport["elevation"]))
    return (airport["icao"], iata, airport["name"] or airport["icao"], city, country, *place)
