"""The contract of a source: what a feed asks of OpenSky, a receiver or a recording. Adding a source is one file.

    source (knows one wire format) ──► Batch ──► feed (knows Kafka)

A source decodes and says what it could not decode. It does not judge: ranges, lateness and the block list are the
feed's, flights are the tracker's.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from flight_platform.errors import UndecodableError
from flight_platform.model import Position
from flight_platform.names import Reason
from flight_platform.watch.heartbeats import SourceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that is no position report: its original bytes, why, and what exactly was wrong."""

    original: bytes
    reason: Reason
    detail: str
    exception: str | None = None

    @classmethod
    def undecodable(cls, original: bytes, error: UndecodableError) -> "Refused":
        """What a decoder gave up on."""
        return cls(original=original, reason=Reason.UNDECODABLE, detail=str(error), exception=exception_text(error))


def exception_text(error: BaseException) -> str:
    """Type and message of an exception, its causes below it."""
    said, cause = [f"{type(error).__name__}: {error}"], error.__cause__
    while cause is not None:
        said.append(f"caused by {type(cause).__name__}: {cause}")
        cause = cause.__cause__
    return "\n".join(said)


def record_format(source: "Source") -> str:
    """What a source's originals are, for who replays a dead letter; empty where the source does not say."""
    return str(getattr(source, "record_format", ""))


def polled(source: "Source") -> bool:
    """Whether a source asks the far end again and again, so that asking later loses detail and no connection."""
    return bool(getattr(source, "polled", False))


def facts_of(source: "Source") -> SourceFacts:
    """What a source knows of itself at the moment: whether it can repeat, where it says no more."""
    facts = getattr(source, "facts", None)
    return facts() if facts is not None else SourceFacts(repeatable=source.repeatable)


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

    A source may have a `record_format`: the name of what one original is, by which `streaming/originals.py` knows how
    to decode it again. One that polls has `polled = True`: while Kafka is away, its next batch
    is asked for later. One that knows more of itself (how often it gives something, that its credits are spent) has
    `facts() -> SourceFacts`, which another thread calls.
    """

    name: str  # low cardinality: the `source` of every report
    repeatable: bool  # True where the source can be asked again for what was missed (a file)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports, as they come."""
        ...
