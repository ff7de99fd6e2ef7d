"""A folder of tar1090 traces (`traces/`, `globe_history/YYYY/MM/DD/`, or many days) as one recording, by time.

A trace is one aircraft's day, so all of them run side by side. What fits is loaded and sorted at once; of more, one
stretch of time after the other: memory stays bounded, and a trace is read once for each stretch that it touches.
"""

import gzip
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flight_platform.errors import SettingsError, UndecodableError
from flight_platform.model import Position
from streaming.sources import clock, fields
from streaming.sources.base import Batch, Refused
from streaming.sources.readsb_format import decode_trace

ROWS_AT_ONCE: Final = 1_000_000  # about 1 GB of reports with their rows
_MINUTE_MS: Final = 60_000
_BATCH: Final = 2_000
_START, _END = "trace_full_", (".json", ".json.gz")


@dataclass(frozen=True, slots=True)
class _Trace:
    """A file and the minutes that it spans."""

    path: Path
    first: int
    last: int


class TraceFolder:
    """The traces below a folder; a file that is none is a refusal, once."""

    def __init__(self, folder: Path, name: str, rows_at_once: int = ROWS_AT_ONCE) -> None:
        self._name = name
        self._paths = sorted(_paths(folder))
        if not self._paths:
            raise SettingsError(
                f"--file {folder}: there is no trace_full_*.json in it or below it. "
                "Example: flight feed replay globe_history/2023/08/30"
            )
        self._rows_at_once = rows_at_once

    def __len__(self) -> int:
        return len(self._paths)

    def batches(self) -> Iterator[Batch]:
        """All reports by time; those of one instant in the order of their addresses.

        Some batches are empty: whoever reads can stop while files are looked through.
        """
        traces, rows_a_minute = list[_Trace](), Counter[int]()
        for path in self._paths:
            yield self._survey(path, traces, rows_a_minute)
        for first, end in stretches(rows_a_minute, self._rows_at_once):
            touched = [trace.path for trace in traces if trace.first < end and trace.last >= first]
            yield from self._stretch(touched, first, end)

    def _survey(self, path: Path, traces: list[_Trace], rows_a_minute: Counter[int]) -> Batch:
        """Notes which minutes a file spans and how many reports each holds; what cannot be read comes back."""
        try:
            batch = self._read(path)
        except UndecodableError as error:
            return Batch(refused=[Refused.undecodable(_content(path), error)])
        minutes = [position.time // _MINUTE_MS for position in batch.positions]
        if minutes:
            rows_a_minute.update(minutes)
            traces.append(_Trace(path, min(minutes), max(minutes)))
        return Batch(refused=batch.refused)

    def _stretch(self, paths: list[Path], first: int, end: int) -> Iterator[Batch]:
        """The reports from a minute until another one."""
        rows: list[tuple[Position, object]] = []
        for path in paths:
            batch = self._read(path)
            rows += (
                (position, original)
                for position, original in zip(batch.positions, batch.originals, strict=True)
                if first <= position.time // _MINUTE_MS < end
            )
            yield Batch()
        rows.sort(key=lambda row: row[0].time)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            yield Batch(
                positions=[row[0] for row in part], originals=[row[1] for row in part], clock_ms=part[-1][0].time
            )

    def _read(self, path: Path) -> Batch:
        """The reports of one trace; raises UndecodableError with the file's name."""
        try:
            content = path.read_bytes()
            obj: Any = fields.parse_json(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
            (batch,) = decode_trace(obj, source=self._name, received_at=clock.now_ms())
        except (OSError, EOFError, zlib.error, UndecodableError) as error:
            raise UndecodableError(f"{path}: {error}") from error
        return batch


def stretches(rows_a_minute: Counter[int], rows_at_once: int) -> Iterator[tuple[int, int]]:
    """Minutes from and until, with no more rows than are wanted at once (a single minute may hold more)."""
    first, rows = None, 0
    for minute in sorted(rows_a_minute):
        if first is not None and rows + rows_a_minute[minute] > rows_at_once:
            yield first, minute
            first, rows = None, 0
        first = minute if first is None else first
        rows += rows_a_minute[minute]
    if first is not None:
        yield first, max(rows_a_minute) + 1


def _content(path: Path) -> bytes:
    """The bytes of a file; none where it cannot be read, which the refusal says."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _paths(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if name.startswith(_START) and name.endswith(_END))
