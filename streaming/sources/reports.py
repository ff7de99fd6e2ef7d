"""Our own reports as recordings: NDJSON, CSV and Parquet with the names of the position report, in the file's order.

`flight_id` is left out: a replayed report is tracked anew. A recorded `received_at` is kept here; whether it counts
is the replay's matter.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flight_platform.codec import from_record
from flight_platform.errors import UndecodableError
from flight_platform.model import SOURCE_NAME, Position
from streaming.sources import clock, fields
from streaming.sources.base import Batch, Refused

NEEDED: Final = ("icao24", "time", "latitude", "longitude")
_BATCH: Final = 1_000


class Decoder:
    """Turns records into reports of one feed."""

    def __init__(self, source: str, *, keep_source: bool) -> None:
        self._source, self._keep_source = source, keep_source

    def position(self, record: Any, received_at: int) -> Position:
        """The report in a record; raises UndecodableError."""
        if not isinstance(record, Mapping):
            raise UndecodableError("not a record: an object with icao24, time, latitude and longitude is expected")
        kept, source = record.get("source"), self._source
        if self._keep_source and isinstance(kept, str) and SOURCE_NAME.fullmatch(kept):
            source = kept
        own = {**record, "flight_id": None, "source": source}
        position = from_record(own, received_at=received_at)
        fields.checked_moment(position.time, "time")
        fields.checked_moment(position.received_at, "received_at")
        return position

    def batches(self, records: Iterable[tuple[object, Any]]) -> Iterator[Batch]:
        """The reports of pairs of an original and its record, or the UndecodableError that reading it raised."""
        batch, received_at = Batch(), clock.now_ms()
        for original, record in records:
            try:
                if isinstance(record, UndecodableError):
                    raise record
                position = self.position(record, received_at)
            except UndecodableError as error:
                shown = original if isinstance(original, bytes) else fields.as_json(original)
                batch.refused.append(Refused.undecodable(shown, error))
            else:
                batch.positions.append(position)
                batch.originals.append(original)
            if len(batch.positions) + len(batch.refused) >= _BATCH:
                yield _with_clock(batch)
                batch, received_at = Batch(), clock.now_ms()
        if batch.positions or batch.refused:
            yield _with_clock(batch)


def _with_clock(batch: Batch) -> Batch:
    newest = max((position.time for position in batch.positions), default=None)
    return Batch(positions=batch.positions, originals=batch.originals, refused=batch.refused, clock_ms=newest)


def read_lines(stream: BinaryIO) -> Iterator[tuple[object, Any]]:
    """The lines of an NDJSON file with their objects; blank lines are left out."""
    for line in stream:
        stripped = line.strip()
        if not stripped:
            continue
        try:
            record = fields.parse_json(stripped)
        except UndecodableError as error:
            record = error
        yield stripped, record


def read_csv(stream: TextIO) -> Iterator[tuple[object, Any]]:
    """The rows of a CSV file with a header, each with itself."""
    rows = csv.DictReader(stream)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"line {rows.line_num}".encode(), UndecodableError(f"not CSV: {error}")
            continue
        if None in row:
            yield {str(name): value for name, value in row.items()}, UndecodableError("more cells than the header has")
        else:
            yield row, row


def read_parquet(file: pq.ParquetFile) -> Iterator[tuple[object, Any]]:
    """The rows of a Parquet file; times as Unix milliseconds."""
    for batch in file.iter_batches(batch_size=_BATCH):
        for row in plain_times(pa.Table.from_batches([batch])).to_pylist():
            yield row, row


def plain_times(table: pa.Table) -> pa.Table:
    """The table with its timestamps as Unix milliseconds: objects of times are slow, and nanoseconds have none."""
    for i, column in enumerate(table.columns):
        if pa.types.is_timestamp(column.type):
            millis = pc.cast(pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False), pa.int64())
            table = table.set_column(i, table.column_names[i], millis)
    return table
