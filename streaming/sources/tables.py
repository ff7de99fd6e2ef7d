"""Collections of the `traffic` library as reports: columns in, batches out, in the order of time.

Such a table is grouped by aircraft and has a row a second; it is loaded, cleaned and sorted as columns, and becomes
objects a batch at a time. Columns: timestamp, icao24, latitude, longitude; altitude and geoaltitude (ft), groundspeed
(kt), track, vertical_rate (ft/min), onground, callsign, squawk, last_position (when the place was true, where it is
older).
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flight_platform.codec import parse_time
from flight_platform.errors import UndecodableError
from flight_platform.model import Position, clean_callsign
from flight_platform.names import Reason
from streaming.sources import clock, fields
from streaming.sources.base import Batch, Refused

NEEDED: Final = ("timestamp", "icao24", "latitude", "longitude")
_BATCH_ROWS: Final = 2_000
_MS_FROM: Final = 1e11
_NAMES: Final = {  # the column of each number and the decimals that are kept
    "latitude": ("latitude", 7),
    "longitude": ("longitude", 7),
    "altitude": ("altitude_ft", 0),
    "geoaltitude": ("geometric_altitude_ft", 0),
    "groundspeed": ("ground_speed_kt", 1),
    "track": ("track_deg", 1),
    "vertical_rate": ("vertical_rate_fpm", 0),
}
_SHOWN: Final = (
    "icao24", "timestamp", "latitude", "longitude", "altitude", "geoaltitude", "onground", "groundspeed", "track",
    "vertical_rate", "callsign", "squawk",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Collection:
    """A loaded table; rows without a place are left out, broken ones are refusals."""

    def __init__(self, table: pa.Table, source: str) -> None:
        self._source = source
        broken = np.zeros(table.num_rows, dtype=bool)
        self._numbers: dict[str, Floats] = {}
        for column, (name, decimals) in _NAMES.items():
            values = _floats(table, column, broken)
            self._numbers[name] = np.round(values, decimals) if decimals else np.rint(values)
        self._numbers["track_deg"][self._numbers["track_deg"] == 360.0] = 0.0
        self._times = _times(table, broken)
        for name in ("altitude_ft", "geometric_altitude_ft", "vertical_rate_fpm"):
            broken |= np.isinf(self._numbers[name])
        broken |= ~((self._times >= 0) & (self._times < 253_402_300_800_000))
        broken |= table.column("icao24").is_null().to_numpy()
        placed = ~(np.isnan(self._numbers["latitude"]) | np.isnan(self._numbers["longitude"]))
        rows = np.flatnonzero(placed & ~broken)
        self._rows = rows[np.argsort(self._times[rows], kind="stable")]
        self._broken = np.flatnonzero(broken)
        self._table = table

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def newest_ms(self) -> int | None:
        """The newest time of a report."""
        return int(self._times[self._rows[-1]]) if len(self._rows) else None

    def batches(self) -> Iterator[Batch]:
        """All reports by time, the refusals first."""
        if len(self._broken):
            shown = self._table.take(pa.array(self._broken)).to_pylist()
            detail = "a value of this row has a wrong type or cannot be"
            yield Batch(
                refused=[
                    Refused(original=fields.as_json(row), reason=Reason.UNDECODABLE, detail=detail) for row in shown
                ]
            )
        for start in range(0, len(self._rows), _BATCH_ROWS):
            yield self._batch(self._rows[start : start + _BATCH_ROWS])

    def _batch(self, rows: npt.NDArray[np.int64]) -> Batch:
        received_at, source = clock.now_ms(), self._source
        numbers = {name: values[rows] for name, values in self._numbers.items()}
        times = self._times[rows].astype(np.int64).tolist()
        columns = (
            self._texts("icao24", rows),
            times,
            numbers["latitude"].tolist(),
            numbers["longitude"].tolist(),
            _whole(numbers["altitude_ft"]),
            _whole(numbers["geometric_altitude_ft"]),
            _flags(self._cells("onground", rows)),
            _known(numbers["ground_speed_kt"]),
            _known(numbers["track_deg"]),
            _whole(numbers["vertical_rate_fpm"]),
            [None if text is None else clean_callsign(text) for text in self._texts("callsign", rows)],
            [_squawk(cell) for cell in self._cells("squawk", rows)],
        )
        positions = [
            Position(
                icao24=str(icao24).strip().lower(),
                time=time,
                received_at=received_at,
                latitude=latitude,
                longitude=longitude,
                altitude_ft=altitude,
                geometric_altitude_ft=geometric,
                on_ground=on_ground,
                ground_speed_kt=speed,
                track_deg=track,
                vertical_rate_fpm=rate,
                callsign=callsign,
                squawk=squawk,
                source=source,
            )
            for (
                icao24, time, latitude, longitude, altitude, geometric, on_ground, speed, track, rate, callsign,
                squawk,
            ) in zip(*columns, strict=True)
        ]  # fmt: skip
        originals: list[object] = [dict(zip(_SHOWN, cells, strict=True)) for cells in zip(*columns, strict=True)]
        return Batch(positions=positions, originals=originals, clock_ms=times[-1])

    def _cells(self, name: str, rows: npt.NDArray[np.int64]) -> list[Any]:
        if name not in self._table.column_names:
            return [None] * len(rows)
        cells: list[Any] = self._table.column(name).take(pa.array(rows)).to_pylist()
        return cells

    def _texts(self, name: str, rows: npt.NDArray[np.int64]) -> list[str | None]:
        return [None if cell is None else str(cell) for cell in self._cells(name, rows)]


def _floats(table: pa.Table, name: str, broken: npt.NDArray[np.bool_]) -> Floats:
    """A column as floats, NaN where unknown; marks the rows that hold something else."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(name).combine_chunks()
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    values = np.full(table.num_rows, np.nan)
    for row, cell in enumerate(column.to_pylist()):
        if cell is None or cell == "":
            continue
        try:
            values[row] = float(cell)
        except (TypeError, ValueError):
            broken[row] = True
    return values


def _times(table: pa.Table, broken: npt.NDArray[np.bool_]) -> Floats:
    """Unix milliseconds at which each row's place was true."""
    stated = _moments(table, "timestamp", broken)
    if "last_position" not in table.column_names:
        return stated
    placed = _moments(table, "last_position", np.zeros(table.num_rows, dtype=bool))
    return np.where(placed <= stated, placed, stated)  # NaN compares false


def _moments(table: pa.Table, name: str, broken: npt.NDArray[np.bool_]) -> Floats:
    column = table.column(name)
    if pa.types.is_timestamp(column.type):
        table = pa.table({name: pc.cast(pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False), pa.int64())})
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([_text_moment(cell) for cell in column.to_pylist()], dtype=np.float64)
    values = _floats(table, name, broken)
    millis: Floats = np.where(np.abs(values) >= _MS_FROM, values, values * 1000.0)
    return np.round(millis)


def _text_moment(cell: str | None) -> float:
    try:
        return float(parse_time(cell))
    except (ValueError, OverflowError):
        return float("nan")


def _whole(values: Floats) -> list[int | None]:
    return [int(value) if value == value else None for value in values.tolist()]


def _known(values: Floats) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]


def _flags(cells: list[Any]) -> list[bool | None]:
    known = {True: True, False: False, "True": True, "true": True, "False": False, "false": False}
    return [known.get(cell) for cell in cells]


def _squawk(cell: Any) -> str | None:
    """Four digits, also where a writer has made a number of them."""
    try:
        return fields.squawk(cell) if cell == cell else None
    except UndecodableError:
        return None
