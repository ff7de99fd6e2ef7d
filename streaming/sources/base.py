"""The contract of a source: what a feed asks of OpenSky, a receiver or a recording. Adding a source is one file.

    source (knows one wire format) ──► Batch ──► feed (knows Kafka)

A source decodes and says what it could not decode. It does not judge: ranges, lateness and the block list are the
feed's, flights are the tracker's.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from flight_platform.model import Position
from flight_platform.names import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that is no position report: its original bytes, why, and what exactly was wrong."""

    original: bytes
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a source yields at one time.

    `positions` are in the source's order; `originals[i]` is what `positions[i]` was decoded from (bytes, text, or an
    object to be shown as JSON), for the dead letter, should the report be refused later. `clock_ms` is the newest time
    that the source itself has told, Unix milliseconds: it moves although the sky is empty.
    """

    positions: list[Position] = field(default_factory=list)
    originals: list[object] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    clock_ms: int | None = None


class Source(Protocol):
    """Where reports come from.

    `batches` yields until the source ends (a file) or `stop` is set; it must look at `stop` at least every half second
    and wait with `stop.wait`, never sleep. What goes wrong at the far end (refused connections, 401, 429, 500, HTML, an
    empty list, half a file) is logged with what to do, counted in `flight_ingest_polls_total` and tried again with
    growing pauses; it never raises. A wrong setting raises SettingsError from the constructor.
    """

    name: str  # low cardinality: the `source` of every report
    repeatable: bool  # True where the source can be asked again for what was missed (a file)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports, as they come."""
        ...
