"""Names that other programs rely on: topics, collections, stages, reasons.

What belongs here is a name that is spelled in more than one process. What does not: anything that can be set
(`settings.py`) or that means something only inside one module.
"""

from enum import StrEnum

TOPIC_REPORTS = "flight.reports"
TOPIC_POSITIONS = "flight.positions"
TOPIC_TRACKER = "flight.tracker"
TOPIC_DEAD_LETTERS = "flight.dead-letters"
TOPIC_GROWING = "flight.growing"  # is there while topics grow: see layout.py

NOTE_HOLDING = "holding: the topics grow"  # of a feed, in its heartbeat

COLLECTION_FLIGHTS = "flights"
COLLECTION_WATERMARKS = "watermarks"


BACKFILL_SUFFIX = "-backfill"  # of a feed that fills a gap from a recording: nobody waits for it


class Stage(StrEnum):
    """A hop of the data plane, in the order in which a report passes them."""

    SOURCE = "source"
    FEED = "feed"
    TRACK = "track"
    LIVE = "live"
    HISTORY = "history"


class Reason(StrEnum):
    """Why a report was refused: the closed list of the dead letters and of `ops.quarantine`."""

    UNDECODABLE = "undecodable"  # the bytes are not what the source's format promises
    OUT_OF_RANGE = "out_of_range"  # a field holds what no aircraft can have
    IN_FUTURE = "in_future"  # its time is ahead of the clock by more than the tolerance
    TOO_LATE = "too_late"  # its time is older than the lateness limit
    IMPLAUSIBLE = "implausible"  # no aircraft moves like that, and no consistent run of reports followed
    NO_PARTITION = "no_partition"  # history has no partition for its hour, and none could be made


class Treatment(StrEnum):
    """What happens to a report of an aircraft on the block list: a closed list."""

    DROP = "drop"
    ANONYMISE = "anonymise"  # a pseudonym that changes each day, no callsign, no squawk


class Header:
    """Headers of a dead letter. All values are UTF-8 text; the value of the record is the original bytes."""

    REASON = "reason"
    DETAIL = "detail"
    EXCEPTION = "exception"  # type and message, causes below it; only where there was one
    STAGE = "stage"
    SOURCE = "source"
    FORMAT = "format"  # what the original bytes are: see streaming/originals.py
    SOURCE_CLOCK = "source_clock"  # the source's time when it told the record, ISO 8601; some formats need it
    REFUSED_AT = "refused_at"  # ISO 8601, UTC
    TOPIC = "topic"  # where the record came from; these three only where it came from Kafka
    PARTITION = "partition"
    OFFSET = "offset"
    TRUNCATED = "truncated"  # "true" where the value is only the head; these three go together
    ORIGINAL_BYTES = "original_bytes"  # the whole original's size
    ORIGINAL_SHA256 = "original_sha256"  # and its hash, hex
    # A mark and no letter: the letter at this place of the same partition was replayed. See replay_dead_letters.py.
    REPLAY_OF = "replay_of"  # partition:offset
    REPLAYED_AT = "replayed_at"  # ISO 8601, UTC
    REPORTS = "reports"  # how many reports it gave
