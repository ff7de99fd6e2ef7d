"""Columns as a Parquet table and back, through a real file."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings

from flight_platform.codec import COLUMN_TYPES
from flight_platform.history.parquet import SCHEMA, WRITING, from_table, to_table
from flight_platform.model import Kind
from tests.unit.flight_platform.history.test_chunks import ROWS, assert_the_same, columns_of, flown

DESIGNED = (
    "flight_id icao24 time received_at latitude longitude altitude_ft geometric_altitude_ft on_ground ground_speed_kt"
    " track_deg vertical_rate_fpm callsign squawk emergency kind source flight_key"
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_what_comes_back_is_what_went_in(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    for row in rows:
        row["flight_id"] += 1
        for name in ("emergency", "kind"):  # 0 is unset in protobuf, and never known
            row[name] = row[name] or None
    columns = columns_of(sorted(rows, key=lambda row: (row["flight_id"], row["time"])))
    pq.write_table(to_table(columns), tmp_path / "x.parquet", **WRITING)
    back = from_table(pq.read_table(tmp_path / "x.parquet", schema=SCHEMA))
    assert_the_same(back, columns)


def test_names_and_units_are_the_documented_ones() -> None:
    assert DESIGNED.split() == SCHEMA.names
    columns = flown(2)
    columns.values["kind"][:] = [Kind.MLAT, 99]
    columns.values["ground_speed_dkt"][:] = 1234
    columns.known["callsign"][1] = False
    first, second = to_table(columns).to_pylist()
    assert first["flight_id"] == "3c6444-00000000"
    assert first["icao24"] == "3c6444"
    assert (first["latitude"], first["ground_speed_kt"]) == (48.0, 123.4)
    assert (first["kind"], second["kind"]) == ("mlat", "99")  # a number that only a newer writer knows is kept
    assert (first["callsign"], second["callsign"]) == ("", None)
    assert set(COLUMN_TYPES) == set(from_table(to_table(columns)).values)
