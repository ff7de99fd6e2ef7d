"""OpenSky's historical state vectors as tables: SI units in, the table of `tables.py` out.

Columns: time (of the row), icao24, lat, lon, velocity (m/s), heading, vertrate (m/s), callsign, onground, squawk,
baroaltitude and geoaltitude (m), lastposupdate (when the place was true), lastcontact, alert, spi.

There is a row each second for as long as an aircraft is heard, with its last place. A place that is told again is no
new report: the first row that has it counts.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streaming.sources import fields

NEEDED: Final = ("time", "icao24", "lat", "lon")
TEXTS: Final = ("icao24", "callsign", "squawk")  # never numbers: 3e1234 is an address
_PLACED: Final = "lastposupdate"
_NAMES: Final = {  # their column: ours, and the unit of ours in theirs
    "time": ("timestamp", None),
    "icao24": ("icao24", None),
    "lat": ("latitude", None),
    "lon": ("longitude", None),
    "velocity": ("groundspeed", fields.KNOT_M_S),
    "heading": ("track", None),
    "vertrate": ("vertical_rate", fields.FEET_A_MINUTE_M_S),
    "callsign": ("callsign", None),
    "onground": ("onground", None),
    "squawk": ("squawk", None),
    "baroaltitude": ("altitude", fields.FOOT_M),
    "geoaltitude": ("geoaltitude", fields.FOOT_M),
    _PLACED: ("last_position", None),
}


def is_states(names: list[str]) -> bool:
    """Whether columns are those of state vectors."""
    return all(name in names for name in NEEDED)


def collection(table: pa.Table) -> pa.Table:
    """The table with the names and units of a collection, a row for each place."""
    table = _new_places(table)
    columns = {}
    for theirs, (ours, unit) in _NAMES.items():
        if theirs in table.column_names:
            column = table.column(theirs)
            columns[ours] = column if unit is None else _in_units(column, unit)
    return pa.table(columns)


def _new_places(table: pa.Table) -> pa.Table:
    """The rows that say where an aircraft was, and when, each place once."""
    if _PLACED not in table.column_names:
        return table
    rows = pa.table(
        {
            "icao24": table.column("icao24"),
            _PLACED: table.column(_PLACED),
            "row": pa.array(np.arange(table.num_rows)),
        }
    ).filter(pc.is_valid(table.column(_PLACED)))
    firsts = rows.group_by(["icao24", _PLACED]).aggregate([("row", "min")]).column("row_min")
    return table.take(firsts.take(pc.sort_indices(firsts)))


def _in_units(column: pa.ChunkedArray, unit: float) -> pa.Array | pa.ChunkedArray:
    """The numbers in another unit; what is no number stays as it is, for the refusal."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return pc.divide(pc.cast(column, pa.float64(), safe=False), unit)
    return pa.array([_cell(cell, unit) for cell in column.to_pylist()], pa.string())


def _cell(cell: object, unit: float) -> str | None:
    if cell is None or cell == "":
        return None
    try:
        return str(float(str(cell)) / unit)
    except ValueError:
        return str(cell)
