"""Recordings: what a file is, found out from its content, and its reports in its own order. When they are played is
in `replay.py`.

gzip is recognised by its first bytes, whatever the file is called. Adding a format is a line in `_recognise`, `_lines`
or `_single`.
"""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from flight_platform.errors import SettingsError, UndecodableError
from streaming.sources import clock, fields, opensky_format, readsb_format, reports, state_vectors, tables
from streaming.sources.base import Batch, Refused
from streaming.sources.sbs import read_capture
from streaming.sources.sbs_format import OTHER_LINES
from streaming.sources.trace_folder import TraceFolder

_HEAD_BYTES: Final = 65_536
_BATCH_LINES: Final = 1_000
_TRIED_LINES: Final = 20  # of a file of lines whose first ones are broken
_SBS_WORDS: Final = (b"MSG,", *(f"{word},".encode() for word in OTHER_LINES))
_TEXT_COLUMNS: Final = ("icao24", "callsign")  # never numbers: 3e1234 is an address
KNOWN_FORMATS: Final = (
    "our reports (NDJSON, JSON, CSV, Parquet), a collection of the traffic library (JSON, CSV, Parquet), "
    "aircraft.json and lines of readsb, a tar1090 trace or a folder of them, OpenSky answers (JSON, lines of it) and "
    "state vectors (CSV, Parquet), an SBS capture; each may be gzipped"
)

Batches = Callable[[], Iterator[Batch]]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recognised file. `batches` starts at its beginning each time that it is called."""

    format: str
    batches: Batches
    in_order: bool  # its reports come in the order of time, or of reception: it can be played as it is read
    newest_ms: int | None = None  # the newest time of a report, where it is known without reading all


@dataclass(frozen=True, slots=True)
class _File:
    """A file and what its decoders need to know."""

    path: Path
    name: str
    keep_source: bool
    zone: ZoneInfo | None

    def open(self) -> BinaryIO:
        """Its bytes, unpacked."""
        with self.path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        return gzip.open(self.path, "rb") if packed else self.path.open("rb")  # type: ignore[return-value]

    def read(self) -> bytes:
        """All of its bytes, unpacked."""
        with self.open() as stream:
            return stream.read()

    @property
    def decoder(self) -> reports.Decoder:
        """The decoder of our own reports."""
        return reports.Decoder(self.name, keep_source=self.keep_source)


def open_recording(path: Path, *, name: str, keep_source: bool = True, zone: ZoneInfo | None = None) -> Recording:
    """The recording in a file; raises SettingsError where it is none that we know."""
    if path.is_dir():
        folder = TraceFolder(path, name)
        return Recording(f"a folder of {len(folder)} tar1090 traces", folder.batches, in_order=True)
    file = _File(path, name, keep_source, zone)
    try:
        with file.open() as stream:
            head = stream.read(_HEAD_BYTES)
        recording = _recognise(file, head)
    except (OSError, EOFError, gzip.zlib.error, pa.ArrowException) as error:  # type: ignore[attr-defined]
        raise SettingsError(f"--file {path}: it cannot be read: {error}") from error
    if recording is None:
        raise SettingsError(f"--file {path}: not recognised. Known are {KNOWN_FORMATS}{_unknown_hint(head)}")
    return recording


def _unknown_hint(head: bytes) -> str:
    if head.startswith(b"\x1a"):
        return ". This looks like a Beast capture: feed it with the source beast"
    line = head.split(b"\n", 1)[0][:200].decode("utf-8", "replace")
    return f". It starts with {line!r}" if line.isprintable() else ""


def _recognise(file: _File, head: bytes) -> Recording | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return Recording("an empty file", lambda: iter(()), in_order=True)
    if head.startswith(b"PAR1"):
        return _parquet(file)
    if text.startswith(_SBS_WORDS):
        return _sbs(file)
    if text.startswith(b"{"):
        return _json_object_or_lines(file)
    if text.startswith(b"["):
        return _json_array(file, text)
    return _broken_start(file, text) or _csv(file, text.split(b"\n", 1)[0].decode("utf-8", "replace"))


def _broken_start(file: _File, text: bytes) -> Recording | None:
    """The recording of a file of lines whose first ones are broken; None where no line says what it is."""
    lines = [line.lstrip() for line in text.splitlines()[:_TRIED_LINES]]
    if any(line.startswith(_SBS_WORDS) for line in lines):
        return _sbs(file)
    if any(line.startswith(b"{") for line in lines):
        return _json_object_or_lines(file)
    return None


def _sbs(file: _File) -> Recording:
    return Recording("an SBS capture", lambda: read_capture(file.path, file.name, file.zone), in_order=True)


def _parquet(file: _File) -> Recording | None:
    packed = file.path.read_bytes()[:2] == b"\x1f\x8b"

    def opened() -> pq.ParquetFile:
        return pq.ParquetFile(io.BytesIO(file.read()) if packed else file.path)

    def own() -> Iterator[Batch]:
        with opened() as parquet:
            yield from file.decoder.batches(reports.read_parquet(parquet))

    with opened() as parquet:
        names = parquet.schema_arrow.names
        if _has(names, reports.NEEDED):
            return Recording("our reports, Parquet", own, in_order=False)
        if _has(names, tables.NEEDED):
            return _collection(file, parquet.read(), "Parquet")
        if state_vectors.is_states(names):
            return _states(file, parquet.read(), "Parquet")
    raise SettingsError(
        f"--file {file.path}: a Parquet file without {_missing(names)}; its columns are {', '.join(names)}"
    )


def _csv(file: _File, header: str) -> Recording | None:
    names = [name.strip().strip('"') for name in header.split(",")]

    def own() -> Iterator[Batch]:
        with closing(io.TextIOWrapper(file.open(), "utf-8-sig", "replace", newline="")) as stream:
            yield from file.decoder.batches(reports.read_csv(stream))

    if _has(names, reports.NEEDED):
        return Recording("our reports, CSV", own, in_order=False)
    if _has(names, tables.NEEDED):
        return _collection(file, _csv_table(file, (*_TEXT_COLUMNS, "squawk")), "CSV")
    if state_vectors.is_states(names):
        return _states(file, _csv_table(file, state_vectors.TEXTS), "CSV")
    if len(names) > 3 and all(name.replace("_", "").isalnum() for name in names):
        raise SettingsError(
            f"--file {file.path}: a CSV file without {_missing(names)}; its columns are {', '.join(names)}"
        )
    return None


def _csv_table(file: _File, texts: tuple[str, ...]) -> pa.Table:
    options = pa.csv.ConvertOptions(column_types={name: pa.string() for name in texts}, strings_can_be_null=True)
    with file.open() as stream:
        return pa.csv.read_csv(stream, convert_options=options)


def _has(names: list[str], needed: tuple[str, ...]) -> bool:
    return all(name in names for name in needed)


def _missing(names: list[str]) -> str:
    return ", ".join(name for name in reports.NEEDED if name not in names)


def _collection(file: _File, table: pa.Table, container: str) -> Recording:
    collection = tables.Collection(table, file.name)
    name = f"a collection of the traffic library, {container}"
    return Recording(name, collection.batches, in_order=True, newest_ms=collection.newest_ms)


def _states(file: _File, table: pa.Table, container: str) -> Recording:
    collection = tables.Collection(state_vectors.collection(table), file.name)
    name = f"OpenSky state vectors, {container}"
    return Recording(name, collection.batches, in_order=True, newest_ms=collection.newest_ms)


def _json_array(file: _File, head: bytes) -> Recording | None:
    if b'"timestamp"' in head:
        content = file.read()
        return _collection(file, _table_of_rows(content), "JSON")
    rows = fields_or_settings_error(file, file.read())
    if rows and isinstance(rows[0], dict) and ("icao24" in rows[0] or "time" in rows[0]):
        return Recording("our reports, JSON", lambda: file.decoder.batches((row, row) for row in rows), in_order=False)
    return None


def fields_or_settings_error(file: _File, content: bytes) -> Any:
    """The object in a file of JSON; raises SettingsError where it is none."""
    try:
        return fields.parse_json(content)
    except UndecodableError as error:
        raise SettingsError(f"--file {file.path}: {error}") from error


def _table_of_rows(content: bytes) -> pa.Table:
    """The table in a JSON array of flat objects, or of lines of them."""
    # Arrow reads lines, and reads them without an object a row. Rows are flat, so what ends a row ends an object.
    lines = content.strip().removeprefix(b"[").removesuffix(b"]").replace(b"},{", b"}\n{")
    schema = pa.schema([(name, pa.string()) for name in _TEXT_COLUMNS])
    try:
        return pa.json.read_json(
            io.BytesIO(lines),
            parse_options=pa.json.ParseOptions(explicit_schema=schema),
            read_options=pa.json.ReadOptions(block_size=1 << 24),
        )
    except pa.ArrowException:  # mixed types in a column, or spaces between rows
        return _table_of_objects(_rows(content))


def _rows(content: bytes) -> list[Any]:
    try:
        rows = fields.parse_json(content)
    except UndecodableError:
        rows = [_parsed(line) for line in content.splitlines() if line.strip()]
    return [row if isinstance(row, dict) else {} for row in rows]


def _table_of_objects(rows: list[dict[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table(
        {name: _column([row.get(name) for row in rows]) for name in dict.fromkeys((*names, *tables.NEEDED))}
    )


def _column(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells)
    except (pa.ArrowException, OverflowError):  # mixed types: as text, and each cell is looked at alone
        return pa.array([None if cell is None else str(cell) for cell in cells])


def _json_object_or_lines(file: _File) -> Recording | None:
    with file.open() as stream:
        firsts = [line for line, _ in zip(stream, range(_TRIED_LINES), strict=False)]
    objects = [obj for obj in map(_parsed, firsts) if isinstance(obj, dict)]
    if objects and (len(firsts) > 1 or len(firsts[0]) < 3 or not _is_whole(objects[0])):
        recording = _lines(file, objects[0])
        if recording is not None:
            return recording
    obj = _parsed(file.read())
    return None if obj is None else _single(file, obj)


def _is_whole(obj: dict[str, Any]) -> bool:
    """Whether an object is a recording of its own, and not one record of many."""
    return any(
        known(obj) for known in (readsb_format.is_answer, readsb_format.is_trace, opensky_format.is_answer)
    ) or isinstance(obj.get("timestamp"), dict)


def _parsed(content: bytes) -> Any:
    try:
        return fields.parse_json(content)
    except UndecodableError:
        return None


def _lines(file: _File, first: dict[str, Any]) -> Recording | None:
    """The recording of a file of JSON lines, by one of its first objects."""
    if readsb_format.is_record(first) and not readsb_format.is_answer(first):
        return Recording("lines of readsb, one aircraft each", _each(file, readsb_format.decode_record), in_order=True)
    if readsb_format.is_answer(first):
        return Recording(
            "lines of aircraft.json", _each(file, _whole_answer(readsb_format.decode_answer)), in_order=True
        )
    if opensky_format.is_answer(first):
        return Recording(
            "lines of OpenSky answers", _each(file, _whole_answer(opensky_format.decode_answer)), in_order=True
        )
    if "icao24" in first and "timestamp" in first and "time" not in first:
        return _collection(file, _table_of_rows(file.read()), "JSON lines")
    if "time" in first or "icao24" in first:

        def own() -> Iterator[Batch]:
            with file.open() as stream:
                yield from file.decoder.batches(reports.read_lines(stream))

        return Recording("our reports, NDJSON", own, in_order=False)
    return None


Decode = Callable[..., Batch]


def _whole_answer(decode: Decode) -> Decode:
    """The decoder of a line that holds a whole answer; a broken line is a refusal."""

    def guarded(answer: Any, *, source: str, received_at: int) -> Batch:
        try:
            return decode(answer, source=source, received_at=received_at)
        except UndecodableError as error:
            return _refusal(fields.as_json(answer), error)

    return guarded


def _each(file: _File, decode: Decode) -> Batches:
    """The batches of a file of lines, each decoded alone, gathered to batches of some size."""

    def batches() -> Iterator[Batch]:
        parts: list[Batch] = []
        with file.open() as stream:
            for line, obj in reports.read_lines(stream):
                if isinstance(obj, UndecodableError):
                    parts.append(_refusal(bytes(line), obj))  # type: ignore[call-overload]
                else:
                    parts.append(decode(obj, source=file.name, received_at=clock.now_ms()))
                if len(parts) >= _BATCH_LINES or len(parts[-1].positions) >= _BATCH_LINES:
                    yield _joined(parts)
                    parts = []
        if parts:
            yield _joined(parts)

    return batches


def _refusal(original: bytes, error: UndecodableError) -> Batch:
    return Batch(refused=[Refused.undecodable(original, error)])


def _joined(parts: list[Batch]) -> Batch:
    return Batch(
        positions=[position for part in parts for position in part.positions],
        originals=[original for part in parts for original in part.originals],
        refused=[refused for part in parts for refused in part.refused],
        clock_ms=max((part.clock_ms for part in parts if part.clock_ms is not None), default=None),
    )


def _single(file: _File, obj: Any) -> Recording | None:
    """The recording of a file that is one JSON object."""

    def whole(decode: Decode) -> Batches:
        return lambda: iter((_whole_answer(decode)(obj, source=file.name, received_at=clock.now_ms()),))

    if readsb_format.is_trace(obj):
        try:
            next(readsb_format.decode_trace(obj, source=file.name, received_at=0))
        except UndecodableError as error:
            raise SettingsError(f"--file {file.path}: {error}") from error
        return Recording(
            "a tar1090 trace",
            lambda: readsb_format.decode_trace(obj, source=file.name, received_at=clock.now_ms()),
            in_order=True,
        )
    if readsb_format.is_answer(obj):
        return Recording("an aircraft.json", whole(readsb_format.decode_answer), in_order=False)
    if opensky_format.is_answer(obj):
        return Recording("an OpenSky answer", whole(opensky_format.decode_answer), in_order=False)
    if isinstance(obj, dict) and isinstance(obj.get("timestamp"), dict) and "icao24" in obj:
        table = pa.table(
            {name: _column(list(cells.values())) for name, cells in obj.items() if isinstance(cells, dict)}
        )
        return _collection(file, table, "JSON") if _has(table.column_names, tables.NEEDED) else None
    listed = obj.get("positions") if isinstance(obj, dict) else None
    if isinstance(listed, list):
        return Recording(
            "our reports, an answer of the API",
            lambda: file.decoder.batches((row, row) for row in listed),
            in_order=False,
        )
    return None
