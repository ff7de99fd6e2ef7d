"""Rows as files for other programs, written as the rows come: GPX, KML, CSV, Parquet. JSON is `history_answers.py`'s.

GPX and KML know one height in metres above the sea: the barometric altitude is written, since every report of ADS-B has
it, and the geometric one (above the ellipsoid, 45 m off the sea level in places) only where it is alone.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import pyarrow as pa
from gpxpy import gpx
from pyarrow import json as arrow_json
from pyarrow import parquet

from flight_platform.history.table import Row, columns
from serving.rows import moment_texts, objects

FOOT_M: Final = 0.3048
_TIME: Final = pa.timestamp("ms", tz="UTC")
COLUMNS: Final[dict[str, pa.DataType]] = {  # names and order of a position report, as everywhere
    "flight_id": pa.string(),
    "icao24": pa.string(),
    "time": _TIME,
    "received_at": _TIME,
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "altitude_ft": pa.int32(),
    "geometric_altitude_ft": pa.int32(),
    "on_ground": pa.bool_(),
    "ground_speed_kt": pa.float64(),
    "track_deg": pa.float64(),
    "vertical_rate_fpm": pa.int32(),
    "callsign": pa.string(),
    "squawk": pa.string(),
    "emergency": pa.string(),
    "kind": pa.string(),
    "source": pa.string(),
}
_SCHEMA: Final = pa.schema(COLUMNS)
_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_GROUP: Final = 20_000  # rows: below, a group costs readers more than it spares them


def height_m(row: Row) -> float | None:
    """The height of a report, metres; None where none is known."""
    feet = row["altitude_ft"] if row["altitude_ft"] is not None else row["geometric_altitude_ft"]
    return None if feet is None else round(feet * FOOT_M, 1)


def name_of(flight_id: str, rows: Sequence[Row]) -> str:
    """What people call the flight: the last callsign that it told in these rows, else its id."""
    return next((row["callsign"] for row in reversed(rows) if row["callsign"]), flight_id)


class Writer(Protocol):
    """Writes an answer of many rows as they come: `part` with each portion in turn, which may be empty, then `end`.

    What it yields is sent as it is; it holds no more rows than those it is given.
    """

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """What is to be sent for these rows; with the first, what stands before all rows."""
        ...

    def end(self) -> Iterable[bytes]:
        """What stands behind all rows."""
        ...


class CsvWriter:
    """A line a row below a line of names; unknown is empty."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._head: tuple[str, ...] = self._names

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """The lines of the rows."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._head:
            writer.writerow(self._head)
            self._head = ()
        values = columns(rows)
        if values:
            writer.writerows(zip(*(_plain(values[name]) for name in self._names), strict=True))
        yield text.getvalue().encode()

    def end(self) -> Iterable[bytes]:
        """Nothing."""
        return ()


class _Sink(io.RawIOBase):
    """A file that is taken away as it is written, and counts on: offsets in Parquet are those in the whole file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """What was written since it was last taken."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


class ParquetWriter:
    """A row a report, zstd, in groups large enough to be worth one."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, _SCHEMA, compression="zstd")
        self._waiting: list[pa.Table] = []

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """What a group that is full has become."""
        self._waiting.append(_table(rows))
        if sum(table.num_rows for table in self._waiting) >= _GROUP:
            yield self._written()

    def end(self) -> Iterable[bytes]:
        """The last group, and the table of contents."""
        if any(table.num_rows for table in self._waiting):
            yield self._written()
        self._writer.close()
        yield self._sink.taken()

    def _written(self) -> bytes:
        self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
        self._waiting.clear()
        return self._sink.taken()


def _table(rows: Sequence[Row]) -> pa.Table:
    """By way of JSON: to take Python's values, Arrow imports pandas first, for which all would wait a second."""
    if not rows:
        return _SCHEMA.empty_table()
    lines = io.BytesIO("\n".join(objects(rows)).encode())
    shape = arrow_json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore")
    whole = arrow_json.ReadOptions(use_threads=False, block_size=max(1, lines.getbuffer().nbytes))
    return arrow_json.read_json(lines, read_options=whole, parse_options=shape)


class GpxWriter:
    """One track of one segment (GPX 1.1)."""

    def __init__(self, flight_id: str) -> None:
        self._flight_id, self._tail = flight_id, ""

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """The points of the rows."""
        document = gpx.GPX()
        document.creator = "flight-platform"
        track = gpx.GPXTrack(name=name_of(self._flight_id, rows), description=self._flight_id)
        points = [
            gpx.GPXTrackPoint(row["latitude"], row["longitude"], elevation=height_m(row), time=row["time"])
            for row in rows
        ]
        track.segments.append(gpx.GPXTrackSegment(points))
        document.tracks.append(track)
        head, points_text, tail = _cut(document.to_xml(), "<trkseg>", "</trkseg>")
        yield (points_text if self._tail else head + points_text).encode()
        self._tail = tail

    def end(self) -> Iterable[bytes]:
        """What closes the document."""
        yield self._tail.encode()


class KmlWriter:
    """A `gx:MultiTrack`, which Google Earth plays by its times as one; a point without height lies on the ground."""

    def __init__(self, flight_id: str) -> None:
        self._flight_id, self._tail = flight_id, ""

    def part(self, rows: Sequence[Row]) -> Iterable[bytes]:
        """A `gx:Track` of the rows: within one, all times stand before all places."""
        import simplekml  # late: half a second, and few ask for it

        document = simplekml.Kml(name=self._flight_id)
        tracks = document.newgxmultitrack(name=name_of(self._flight_id, rows), gxinterpolate=1)
        track = tracks.newgxtrack(altitudemode=simplekml.AltitudeMode.absolute)
        track.newwhen(list(moment_texts(row["time"] for row in rows)))
        track.newgxcoord([(row["longitude"], row["latitude"], height_m(row) or 0.0) for row in rows])
        head, track_text, tail = _cut(
            document.kml(format=False), "<gx:interpolate>1</gx:interpolate>", "</gx:MultiTrack>"
        )
        yield (track_text if self._tail else _XML + head + track_text).encode()
        self._tail = tail

    def end(self) -> Iterable[bytes]:
        """What closes the document."""
        yield self._tail.encode()


def _cut(document: str, opening: str, closing: str) -> tuple[str, str, str]:
    """A document as what comes before the inside of an element, that inside, and the rest."""
    head, _, rest = document.partition(opening)
    inside, _, tail = rest.rpartition(closing)
    return head + opening, inside.rstrip(), closing + tail


def _plain(values: Sequence[Any]) -> Iterable[Any]:
    """Values as CSV has them: moments as ISO 8601 text, `true` and `false`."""
    kinds = set(map(type, values))
    if datetime in kinds:
        return moment_texts(values)
    if bool in kinds:
        return [value if value is None else str(value).lower() for value in values]
    return values
