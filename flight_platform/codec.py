"""Position reports as bytes, as columns and as records.

    bytes  (protobuf, what Kafka carries)    encode, encode_all, decode, stamp_flight_id
    columns (numpy, what live and history work on)    decode_columns
    records (JSON objects, what people read)  to_record, from_record

A tracked report is the untracked one with its flight id appended: protobuf merges what is concatenated, so fields
that this version does not know pass through unchanged.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import ptars
import pyarrow as pa
from google.protobuf.message import DecodeError

from flight_platform.errors import UndecodableError
from flight_platform.model import Emergency, Kind, Position, clean_callsign, format_flight_id, parse_flight_id
from flight_platform.watermarks import newest_by_source
from protos.flight.v1 import position_pb2

DEGREE_STEPS: Final = 10_000_000  # latitude and longitude come in steps of 1e-7 degrees
TENTH_STEPS: Final = 10  # ground speed and track come in steps of 0.1

_Member = TypeVar("_Member", Kind, Emergency)

_FIELDS: Final = tuple(f.name for f in position_pb2.Position.DESCRIPTOR.fields)
_REQUIRED: Final = ("icao24", "time", "received_at", "latitude", "longitude")
_FLIGHT_ID: Final = struct.Struct("<BQ")
_FLIGHT_ID_TAG: Final = 1 << 3 | 1  # field 1, wire type 1 (64 bits): see position.proto
_HANDLER: Final = ptars.HandlerPool([position_pb2.DESCRIPTOR]).get_for_message(position_pb2.Position.DESCRIPTOR)
_SCHEMA: Final[pa.Schema] = _HANDLER.schema()
_GETTERS: Final = tuple(map(attrgetter, _FIELDS))  # a report's attributes are named as the message's fields


def encode(position: Position) -> bytes:
    """The protobuf bytes of a report; what is None stays unset."""
    message = position_pb2.Position(
        flight_id=position.flight_id,
        icao24=position.icao24,
        time=position.time,
        received_at=position.received_at,
        latitude=position.latitude,
        longitude=position.longitude,
        altitude_ft=position.altitude_ft,
        geometric_altitude_ft=position.geometric_altitude_ft,
        on_ground=position.on_ground,
        ground_speed_kt=position.ground_speed_kt,
        track_deg=position.track_deg,
        vertical_rate_fpm=position.vertical_rate_fpm,
        callsign=position.callsign,
        squawk=position.squawk,
        emergency=position.emergency,  # type: ignore[arg-type]  # the numbers are the same
        kind=position.kind,  # type: ignore[arg-type]
        source=position.source,
    )
    return message.SerializeToString()


def encode_all(positions: Sequence[Position]) -> list[bytes]:
    """`encode` of each, by columns: at half the cost from some twenty reports on."""
    if not positions:
        return []
    # A column at a time: a tuple for each report would keep the garbage collector busy.
    columns = (list(map(getter, positions)) for getter in _GETTERS)
    arrays = [_array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)
    messages: list[bytes] = _HANDLER.record_batch_to_array(batch).to_pylist()
    return messages


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values as Arrow's; `pa.array` would do it, too, but imports pandas first: a second, and 50 MB."""
    size, unknown = len(values), values.count(None)
    if unknown == size:
        return pa.nulls(size, kind)
    validity = None
    if unknown:
        validity = _bits([value is not None for value in values])
        nothing = "" if kind == pa.string() else 0
        values = [nothing if value is None else value for value in values]
    if kind == pa.string():
        text = "".join(values)
        if not text.isascii():  # else a character is a byte
            values = [value.encode() for value in values]
        ends = np.cumsum([0, *map(len, values)], dtype="i4")
        buffers = [validity, pa.py_buffer(ends), pa.py_buffer(text.encode())]
    elif kind == pa.bool_():
        buffers = [validity, _bits(values)]
    else:
        buffers = [validity, pa.py_buffer(np.array(values, dtype=kind.to_pandas_dtype()))]
    return pa.Array.from_buffers(kind, size, buffers, unknown)


def _bits(values: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(values, dtype=bool), bitorder="little"))


def decode(data: bytes) -> Position:
    """The report in protobuf bytes; raises UndecodableError where they are none or a required field is unset."""
    try:
        message = position_pb2.Position.FromString(data)
    except DecodeError as error:
        raise UndecodableError(f"not a flight.v1.Position: {error}") from error
    missing = [name for name in _REQUIRED if not message.HasField(name)]
    if missing:
        raise UndecodableError(f"a flight.v1.Position without {', '.join(missing)}")
    values = {field.name: value for field, value in message.ListFields()}
    for name in ("ground_speed_kt", "track_deg"):
        if name in values:
            values[name] = round(values[name], 1)  # undo the float's binary rounding
    values["kind"] = _member(Kind, message.kind)
    values["emergency"] = _member(Emergency, message.emergency)
    return Position(**values)


def _member(enum: type[_Member], number: int) -> _Member | None:
    """The member with that number; None for unset and for one that only a newer writer knows."""
    try:
        return enum(number)
    except ValueError:
        return None


def stamp_flight_id(data: bytes, flight_id: int) -> bytes:
    """The bytes of an untracked report with its flight id set, all other fields, known or not, as they were."""
    return data + _FLIGHT_ID.pack(_FLIGHT_ID_TAG, flight_id)


Array = npt.NDArray[Any]

# The columns of a batch and their numpy types. Text is zero-padded bytes of a fixed width.
COLUMN_TYPES: Final[dict[str, str]] = {
    "flight_id": "i8",
    "time": "i8",
    "received_at": "i8",
    "latitude_e7": "i4",
    "longitude_e7": "i4",
    "altitude_ft": "i4",
    "geometric_altitude_ft": "i4",
    "on_ground": "?",
    "ground_speed_dkt": "i2",
    "track_ddeg": "i2",
    "vertical_rate_fpm": "i4",
    "callsign": "S8",
    "squawk": "S4",
    "emergency": "i2",
    "kind": "i2",
    "source": "S32",
}
_SOURCE_BYTES: Final = int(COLUMN_TYPES["source"][1:])
_STEPS: Final[dict[str, tuple[str, int]]] = {  # scaled columns: the field and the steps in one unit
    "latitude_e7": ("latitude", DEGREE_STEPS),
    "longitude_e7": ("longitude", DEGREE_STEPS),
    "ground_speed_dkt": ("ground_speed_kt", TENTH_STEPS),
    "track_ddeg": ("track_deg", TENTH_STEPS),
}
_REQUIRED_COLUMNS: Final = ("flight_id", "time", "received_at", "latitude_e7", "longitude_e7")


_TRACKING: Final = (
    "icao24",
    "time",
    "latitude",
    "longitude",
    "altitude_ft",
    "ground_speed_kt",
    "on_ground",
    "callsign",
)
TrackingRow = tuple[str, int, float, float, int | None, float | None, bool | None, str | None]


def decode_for_tracking(messages: Sequence[bytes]) -> list[TrackingRow | None]:
    """What the tracker needs of each report in a list of protobuf bytes; None for those that are none.

    A row is icao24, time, latitude, longitude, altitude_ft, ground_speed_kt, on_ground, callsign.
    """
    return decode_reports(messages)[0]


def decode_reports(messages: Sequence[bytes]) -> tuple[list[TrackingRow | None], dict[str, int], dict[str, int]]:
    """The same, with the newest time of each source, Unix milliseconds, and how many reports are of each."""
    if not messages:
        return [], {}, {}  # as of each aircraft that holds nothing, when a tracker takes over
    batch, undecodable = _decode_batch(messages)
    columns = [batch.column(name) for name in _TRACKING]
    rows: list[TrackingRow | None] = list(zip(*(column.to_pylist() for column in columns), strict=True))
    if any(column.null_count for column in columns[:4]):
        rows = [None if row is None or None in row[:4] else row for row in rows]
    for index in undecodable:
        rows.insert(index, None)
    newest = newest_by_source(_text(batch.column("source"), _SOURCE_BYTES), _numbers(batch.column("time")))
    counts = {each["values"]: each["counts"] for each in batch.column("source").value_counts().to_pylist()}
    return rows, {source: time_ms for source, time_ms in newest.items() if time_ms}, counts


def source_of(message: bytes) -> str:
    """The source of a report that decodes, empty where it is unset."""
    return position_pb2.Position.FromString(message).source


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch of tracked reports as columns: `values[name][row]` counts only where `known[name][row]`.

    Names and types are those of `COLUMN_TYPES`; scaled columns carry their step in the name (`_e7` is 1e-7 degrees,
    `_dkt` and `_ddeg` are tenths of a knot and of a degree).
    """

    values: dict[str, Array]
    known: dict[str, npt.NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.values["time"])

    def __getitem__(self, name: str) -> Array:
        return self.values[name]

    def take(self, rows: Array | slice) -> "Columns":
        """The rows at these indexes, or where this mask is true, in that order; of a slice not a copy."""
        return Columns(
            {name: column[rows] for name, column in self.values.items()},
            {name: mask[rows] for name, mask in self.known.items()},
        )


def decode_columns(messages: Sequence[bytes]) -> tuple[Columns, list[int]]:
    """The tracked reports in a list of protobuf bytes as columns, and the indexes of those that are none.

    A message counts as none when its bytes do not decode or a required field is unset; the rows of the columns are
    the others in their order.
    """
    batch, undecodable = _decode_batch(messages)
    columns, bad = _columns(batch), undecodable
    complete = np.logical_and.reduce([columns.known[name] for name in _REQUIRED_COLUMNS])
    if not complete.all():
        refused = set(undecodable)
        decoded = [i for i in range(len(messages)) if i not in refused]
        bad = sorted(undecodable + [decoded[row] for row in np.flatnonzero(~complete)])
        columns = columns.take(complete)
    return columns, bad


def _decode_batch(messages: Sequence[bytes]) -> tuple[pa.RecordBatch, list[int]]:
    """What decodes, as one Arrow batch, and the indexes of what does not, ascending."""
    try:
        return _HANDLER.list_to_record_batch(list(messages)), []
    except (ValueError, RuntimeError):
        undecodable = [i for i, data in enumerate(messages) if not _decodes(data)]
        refused = set(undecodable)
        return _HANDLER.list_to_record_batch([m for i, m in enumerate(messages) if i not in refused]), undecodable


def _decodes(data: bytes) -> bool:
    try:
        position_pb2.Position.FromString(data)
    except DecodeError:
        return False
    return True


def _columns(batch: pa.RecordBatch) -> Columns:
    values: dict[str, Array] = {}
    known: dict[str, npt.NDArray[np.bool_]] = {}
    for name, kind in COLUMN_TYPES.items():
        field, steps = _STEPS.get(name, (name, 1))
        column = batch.column(field)
        known[name] = _known(column)
        if kind.startswith("S"):
            values[name] = _text(column, int(kind[1:]))
        else:
            numbers = _numbers(column)
            if steps != 1:
                numbers = np.rint(numbers.astype("f8") * steps)
            values[name] = numbers.astype(kind)
    values["track_ddeg"] %= 3600  # 360.0 degrees is north too
    return Columns(values, known)


# What follows reads Arrow's buffers itself: `to_numpy` and Arrow's own functions import pandas first.


def _known(column: pa.Array) -> npt.NDArray[np.bool_]:
    if column.null_count == 0:
        return np.ones(len(column), dtype=bool)
    return _unpacked(column.buffers()[0], column)


def _numbers(column: pa.Array) -> Array:
    """The values of a column of numbers or booleans, 0 where there is none."""
    data = column.buffers()[1]
    if pa.types.is_boolean(column.type):
        numbers: Array = _unpacked(data, column)
    else:
        numbers = np.frombuffer(data, dtype=column.type.to_pandas_dtype())[column.offset :][: len(column)]
    return numbers if column.null_count == 0 else np.where(_known(column), numbers, 0)


def _unpacked(bits: pa.Buffer, column: pa.Array) -> npt.NDArray[np.bool_]:
    count = column.offset + len(column)
    return np.unpackbits(np.frombuffer(bits, dtype="u1"), count=count, bitorder="little")[column.offset :].view(bool)


def _text(column: pa.Array, width: int) -> Array:
    """Zero-padded bytes of a text column, without a Python object a row; what is longer is cut."""
    _, bounds, data = column.buffers()
    ends = np.frombuffer(bounds, dtype="i4")[column.offset :][: len(column) + 1]
    octets = np.frombuffer(data or b"", dtype="u1")
    lengths = np.diff(ends)
    padded = np.zeros((len(column), width), dtype="u1")
    inside = np.arange(width) < lengths[:, None]
    if lengths.max(initial=0) <= width:
        padded[inside] = octets[ends[0] : ends[-1]]
    else:
        padded[inside] = octets[(ends[:-1, None] + np.arange(width))[inside]]
    return padded.view(f"S{width}")[:, 0]


def unix_ms(moment: datetime) -> int:
    """Unix milliseconds of a moment that names its zone."""
    return round(moment.timestamp() * 1000)


def iso_time(time_ms: int) -> str:
    """Unix milliseconds as ISO 8601 text in UTC, as in `2026-01-31T12:00:00.250Z`."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def to_record(position: Position) -> dict[str, Any]:
    """The report as a JSON object with the documented names; what is unknown is null."""
    return {
        "flight_id": None if position.flight_id is None else format_flight_id(position.flight_id),
        "icao24": position.icao24,
        "time": iso_time(position.time),
        "received_at": iso_time(position.received_at),
        "latitude": round(position.latitude, 7),
        "longitude": round(position.longitude, 7),
        "altitude_ft": position.altitude_ft,
        "geometric_altitude_ft": position.geometric_altitude_ft,
        "on_ground": position.on_ground,
        "ground_speed_kt": position.ground_speed_kt,
        "track_deg": position.track_deg,
        "vertical_rate_fpm": position.vertical_rate_fpm,
        "callsign": position.callsign,
        "squawk": position.squawk,
        "emergency": None if position.emergency is None else position.emergency.label,
        "kind": None if position.kind is None else position.kind.label,
        "source": position.source,
    }


def from_record(record: Mapping[str, Any], *, received_at: int, source: str | None = None) -> Position:
    """The report in an object with the documented names (JSON, a CSV row or a Parquet row).

    `flight_id` and `received_at` may be absent; an absent, null or empty field is unknown. `time` is ISO 8601 text, a
    datetime, or Unix seconds or milliseconds. Raises UndecodableError with the field's name.
    """
    known = {name: value for name, value in record.items() if value is not None and value != ""}
    missing = [name for name in ("icao24", "time", "latitude", "longitude") if name not in known]
    if missing:
        raise UndecodableError(f"no {', '.join(missing)} in a record with the fields {', '.join(record) or 'none'}")
    values: dict[str, Any] = {"received_at": received_at, "source": source}
    for name, value in known.items():
        parse = _PARSERS.get(name)
        if parse is None:
            continue  # a field of somebody else's
        try:
            values[name] = parse(value)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise UndecodableError(f"{name} is {value!r}: {error}") from error
    return Position(**values)


def parse_time(value: object) -> int:
    """Unix milliseconds of ISO 8601 text (UTC where it names no zone), a datetime, or Unix seconds or milliseconds."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = datetime.fromisoformat(str(value))
    if isinstance(value, datetime):
        return unix_ms(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a time is ISO 8601 text or Unix seconds")
    # 1e11 seconds is the year 5138, 1e11 milliseconds is 1973: nobody means either.
    return round(value) if abs(value) >= 1e11 else round(value * 1000)


def _parse_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"true", "t", "1", "yes"}:
        return True
    if text in {"false", "f", "0", "no"}:
        return False
    raise ValueError("true or false is expected")


def _parse_int(value: Any) -> int:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a finite number is expected")
    return round(number)


def _parse_tenths(value: Any) -> float:
    return round(float(value), 1)


def _parse_degrees(value: Any) -> float:
    return round(float(value), 7)


_PARSERS: Final[dict[str, Any]] = {
    "flight_id": lambda value: value if isinstance(value, int) else parse_flight_id(value),
    "icao24": lambda value: str(value).strip().lower(),
    "time": parse_time,
    "received_at": parse_time,
    "latitude": _parse_degrees,
    "longitude": _parse_degrees,
    "altitude_ft": _parse_int,
    "geometric_altitude_ft": _parse_int,
    "on_ground": _parse_bool,
    "ground_speed_kt": _parse_tenths,
    "track_deg": _parse_tenths,
    "vertical_rate_fpm": _parse_int,
    "callsign": lambda value: clean_callsign(str(value)),
    "squawk": lambda value: str(value).strip().zfill(4),
    "emergency": lambda value: Emergency[str(value).upper()],
    "kind": lambda value: Kind[str(value).upper()],
    "source": str,
}
