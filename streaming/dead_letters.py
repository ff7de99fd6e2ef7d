"""What a record of `flight.dead-letters` looks like: how it is made, and how it is read. No Kafka client in here.

    letter   a refused record: its original bytes, untouched, and everything else in headers
    mark     no value: the letter at a place before it, in the same partition, has been replayed

Where letters are read is in `dead_letter_topic.py`, what decodes an original again in `originals.py`.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from flight_platform.codec import decode, iso_time, parse_time
from flight_platform.errors import UndecodableError
from flight_platform.kafka import encode_headers
from flight_platform.names import Header, Reason, Stage
from flight_platform.telemetry import DEAD_LETTERS
from streaming.sources.base import exception_text

MAX_ORIGINAL_BYTES: Final = 8_000_000
POSITION_FORMAT: Final = "flight.v1.Position"
_LONGEST_TEXT: Final = 4_000  # characters of a header: a detail may quote the record, and a letter must stay below 9 MB

log = structlog.get_logger()

KafkaHeaders = list[tuple[str, str | bytes | None]]
Place = tuple[int, int]  # partition and offset of a letter


def letter(
    original: bytes,
    *,
    reason: Reason,
    detail: str,
    stage: Stage,
    source: str,
    now_ms: int,
    record_format: str = "",
    clock_ms: int | None = None,
    exception: str | None = None,
    origin: tuple[str, int, int] | None = None,
) -> tuple[bytes, KafkaHeaders]:
    """The value and headers of a dead letter; counts it. `origin` is topic, partition and offset where it has one."""
    DEAD_LETTERS.labels(reason).inc()
    text = {
        Header.REASON: str(reason),
        Header.DETAIL: _short(detail),
        Header.STAGE: str(stage),
        Header.SOURCE: source,
        Header.REFUSED_AT: iso_time(now_ms),
    }
    if exception:
        text[Header.EXCEPTION] = _short(exception)
    if record_format:
        text[Header.FORMAT] = record_format
    if clock_ms is not None:
        text[Header.SOURCE_CLOCK] = iso_time(clock_ms)
    if origin is not None:
        text |= {Header.TOPIC: origin[0], Header.PARTITION: str(origin[1]), Header.OFFSET: str(origin[2])}
    if len(original) > MAX_ORIGINAL_BYTES:
        text |= _cut(original)
    return original[:MAX_ORIGINAL_BYTES], encode_headers(text)


def letter_of_report(
    data: bytes, *, reason: Reason, detail: str, error: Exception | None, now_ms: int, origin: tuple[str, int, int]
) -> tuple[bytes, KafkaHeaders]:
    """The dead letter of a record of `flight.reports`: its bytes as they are, fields of a newer writer included."""
    source = ""
    try:
        source = decode(data).source or ""
    except UndecodableError as undecodable:
        if reason is Reason.UNDECODABLE:
            error = undecodable
    return letter(
        data,
        reason=reason,
        detail=detail,
        stage=Stage.TRACK,
        source=source,
        now_ms=now_ms,
        record_format=POSITION_FORMAT,
        exception=None if error is None else exception_text(error),
        origin=origin,
    )


class Refusals:
    """Says in the log, once a minute at most, how many records a process has refused since it said so last."""

    EVERY_S: Final = 60.0

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()
        self._next_at = 0.0

    def tell(self, counts: Mapping[str, int]) -> None:
        """Takes a process's totals by outcome; those of reasons count."""
        if time.monotonic() < self._next_at:
            return
        new = Counter({str(reason): counts.get(reason, 0) - self._told[reason] for reason in Reason})
        if refused := +new:
            log.warning("records_refused", **refused, hint="`flight dead-letters list` shows them")
            self._told += refused
            self._next_at = time.monotonic() + self.EVERY_S


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."


def _cut(original: bytes) -> dict[str, str]:
    """What is told of an original of which the head alone is kept."""
    return {
        Header.TRUNCATED: "true",
        Header.ORIGINAL_BYTES: str(len(original)),
        Header.ORIGINAL_SHA256: hashlib.sha256(original).hexdigest(),
    }


def original_bytes(original: object) -> bytes:
    """What a source decoded, as bytes, whole: bytes and text as they are, anything else as JSON."""
    if isinstance(original, bytes):
        return original
    text = original if isinstance(original, str) else json.dumps(original, default=str)
    return text.encode("utf-8", "surrogateescape")


def mark(place: Place, *, reports: int, now_ms: int) -> KafkaHeaders:
    """The headers of the record that says: this letter has been replayed."""
    return encode_headers(
        {
            Header.REPLAY_OF: format_place(place),
            Header.REPLAYED_AT: iso_time(now_ms),
            Header.REPORTS: str(reports),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter as it was read. Headers of a newer writer are kept; those of an older one may be missing."""

    place: Place
    headers: Mapping[str, str]
    original: bytes

    def __getitem__(self, header: str) -> str | None:
        """A header's text; None where there is none or it is empty."""
        return self.headers.get(header) or None

    @property
    def id(self) -> str:
        """As people write it: partition:offset."""
        return format_place(self.place)

    @property
    def record_format(self) -> str | None:
        """What the original is. The tracker's letters of an older writer do not say so, and are all of one format."""
        return self[Header.FORMAT] or (POSITION_FORMAT if self[Header.STAGE] == Stage.TRACK else None)

    @property
    def truncated(self) -> bool:
        """Whether the head alone was kept."""
        return self[Header.TRUNCATED] == "true"

    @property
    def refused_at_ms(self) -> int | None:
        """When, Unix milliseconds."""
        return self._moment(Header.REFUSED_AT)

    @property
    def clock_ms(self) -> int | None:
        """The source's time when it told the record, Unix milliseconds."""
        return self._moment(Header.SOURCE_CLOCK)

    def _moment(self, header: str) -> int | None:
        try:
            return parse_time(self[header])
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A letter has been replayed: which, when, and how many reports it gave."""

    of: Place
    replayed_at: str
    reports: int


def read(place: Place, headers: Mapping[str, str], value: bytes | None) -> Letter | Mark:
    """A record of the topic as what it is."""
    replayed = parse_place(headers.get(Header.REPLAY_OF, ""))
    if replayed is None:
        return Letter(place=place, headers=headers, original=value or b"")
    reports = headers.get(Header.REPORTS, "")
    return Mark(
        of=replayed,
        replayed_at=headers.get(Header.REPLAYED_AT, ""),
        reports=int(reports) if reports.isdecimal() else 0,
    )


def format_place(place: Place) -> str:
    """The text of a letter's id, as in `0:17`."""
    return f"{place[0]}:{place[1]}"


def parse_place(text: str) -> Place | None:
    """Partition and offset of a letter's id; None where it is none."""
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return int(partition), int(offset)
