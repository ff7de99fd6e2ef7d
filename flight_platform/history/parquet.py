"""Positions as a Parquet file with the documented names and units: columns to table and back, exactly.

Latitude, longitude, speed and track are decimal numbers of their steps (1e-7 degrees, 0.1), so rounding to the step
gives the integers back. Only encodings that DuckDB, pandas and Spark (from 3.3) read alike: no BYTE_STREAM_SPLIT. Where
files lie and what they hold is `archive.py`'s.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flight_platform.codec import COLUMN_TYPES, DEGREE_STEPS, TENTH_STEPS, Columns
from flight_platform.model import Emergency, Kind, format_flight_id

_MOMENT: Final = pa.timestamp("ms", tz="UTC")
SCHEMA: Final = pa.schema(
    [
        pa.field("flight_id", pa.string(), nullable=False),
        pa.field("icao24", pa.string(), nullable=False),
        pa.field("time", _MOMENT, nullable=False),
        pa.field("received_at", _MOMENT, nullable=False),
        pa.field("latitude", pa.float64(), nullable=False),
        pa.field("longitude", pa.float64(), nullable=False),
        pa.field("altitude_ft", pa.int32()),
        pa.field("geometric_altitude_ft", pa.int32()),
        pa.field("on_ground", pa.bool_()),
        pa.field("ground_speed_kt", pa.float64()),
        pa.field("track_deg", pa.float64()),
        pa.field("vertical_rate_fpm", pa.int32()),
        pa.field("callsign", pa.string()),
        pa.field("squawk", pa.string()),
        pa.field("emergency", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("source", pa.string()),
        pa.field("flight_key", pa.int64(), nullable=False),
    ]
)
_DELTA: Final = ("time", "received_at", "altitude_ft", "geometric_altitude_ft", "vertical_rate_fpm")
_PLAIN: Final = ("latitude", "longitude")
WRITING: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 9,
    "version": "2.6",
    "use_dictionary": [name for name in SCHEMA.names if name not in {*_DELTA, *_PLAIN, "on_ground"}],
    "column_encoding": dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
}
_STEPS: Final = {
    "latitude": ("latitude_e7", DEGREE_STEPS),
    "longitude": ("longitude_e7", DEGREE_STEPS),
    "ground_speed_kt": ("ground_speed_dkt", TENTH_STEPS),
    "track_deg": ("track_ddeg", TENTH_STEPS),
}
_LABELS: Final[dict[str, dict[int, str]]] = {
    "emergency": {member.value: member.label for member in Emergency},
    "kind": {member.value: member.label for member in Kind},
}

Array = npt.NDArray[Any]


def to_table(columns: Columns) -> pa.Table:
    """The positions in their order."""
    arrays = {name: _array(columns, name) for name in SCHEMA.names if name not in {"flight_id", "icao24"}}
    keys, index = np.unique(columns["flight_id"], return_inverse=True)
    texts = [format_flight_id(int(key)) for key in keys]
    arrays["flight_id"] = pa.array(texts, pa.string()).take(pa.array(index))
    arrays["icao24"] = pa.array([text.partition("-")[0] for text in texts], pa.string()).take(pa.array(index))
    return pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _array(columns: Columns, name: str) -> pa.Array:
    if name == "flight_key":
        return pa.array(columns["flight_id"])
    column, steps = _STEPS.get(name, (name, 1))
    values, unknown = columns[column], ~columns.known[column]
    if name in _LABELS:
        return _labels(values, unknown, name)
    if values.dtype.kind == "S":
        return pa.array(values.astype(object), pa.binary(), mask=unknown).cast(pa.string())
    if steps != 1:
        values = values / steps
    return pa.array(values, mask=unknown).cast(SCHEMA.field(name).type)


def _labels(values: Array, unknown: Array, name: str) -> pa.Array:
    """The text of each member; of a number that only a newer writer knows, the number."""
    numbers, index = np.unique(values, return_inverse=True)
    texts = pa.array([_LABELS[name].get(int(number), str(number)) for number in numbers], pa.string())
    return texts.take(pa.array(index, mask=unknown))


def from_table(table: pa.Table) -> Columns:
    """The positions of a table with these names, in its order."""
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    names = {column: name for name, (column, _) in _STEPS.items()}
    for column, kind in COLUMN_TYPES.items():
        name = "flight_key" if column == "flight_id" else names.get(column, column)
        array = table.column(name).combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        known[column] = array.is_valid().to_numpy(zero_copy_only=False)
        values[column] = _column(array, name, kind)
    return Columns(values, known)


def _column(array: pa.Array, name: str, kind: str) -> Array:
    if name in _LABELS:
        numbers = {label: number for number, label in _LABELS[name].items()}
        encoded = array.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        members = np.array([numbers.get(text) or int(text) for text in texts] or [0], dtype=kind)
        labelled: Array = members[encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
        return np.where(array.is_valid().to_numpy(zero_copy_only=False), labelled, 0).astype(kind)
    if kind.startswith("S"):
        return np.array(array.fill_null("").cast(pa.binary()).to_numpy(zero_copy_only=False), dtype=kind)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    filled: Array = array.fill_null(False if pa.types.is_boolean(array.type) else 0).to_numpy(zero_copy_only=False)
    steps = _STEPS.get(name, ("", 1))[1]
    return np.rint(filled * steps).astype(kind) if steps != 1 else filled.astype(kind)
