"""Dead letters on their way back: decoded and judged anew, and into `flight.reports` exactly once.

    letter ──► replayed before? ──► decode again ──► the feed's rules ──► block list ──┬─► flight.reports
                     ▲                                                                 │   one transaction
                     └──────────── mark, in the letter's own partition ◄───────────────┴─► flight.dead-letters

The reports of a letter and the mark that says so are committed together, so a replay that dies has done all of a letter
or nothing. All replays have one transactional id: the one that starts ends what another has open, and reads the marks
after that; the other can commit nothing any more. A mark lies behind its letter in the same partition, so Kafka
never forgets the mark before the letter. A letter that fails again stays as it is, and nothing is written of it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Final, TypeVar

import structlog
from confluent_kafka import KafkaException, Producer

from flight_platform import kafka
from flight_platform.codec import encode
from flight_platform.errors import FencedError, FlightError, UndecodableError
from flight_platform.layout import read_layout
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Reason
from flight_platform.settings import Settings
from streaming.blocklist import BlockList
from streaming.dead_letter_topic import Wanted, no_letter, read_all
from streaming.dead_letters import Letter, Mark, Place, mark
from streaming.originals import NotAloneError, Report, decode_again
from streaming.sifting import Limits, refusal

log = structlog.get_logger()

_CHUNK_LETTERS: Final = 500  # of one transaction: well within its time, and within what one can wait for
_CHUNK_BYTES: Final = 16_000_000
_TRY_S: Final = 10
_PATIENCE_S: Final = 30  # then the marks tell the next replay what came of it

_T = TypeVar("_T")


class Outcome(StrEnum):
    """What came of a letter: a closed list."""

    REPLAYED = "replayed"
    ALREADY_REPLAYED = "already_replayed"
    REFUSED_AGAIN = "refused_again"  # with one of the dead letters' reasons
    NOT_REPLAYABLE = "not_replayable"  # its original does not make a report by itself
    BLOCKED = "blocked"  # the block list drops it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to be done with a letter, or was: its outcome, why, and its reports where it goes back."""

    letter: Letter
    outcome: Outcome
    reason: Reason | None = None
    detail: str = ""
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a feed would judge by now."""

    limits: Limits
    blocked: BlockList

    @classmethod
    def of(cls, settings: Settings, *, backfill: bool) -> "Rules":
        """The rules that the settings state; a backfill takes reports of any age."""
        return cls(limits=Limits.of(settings, backfill=backfill), blocked=BlockList.now(settings))

    def judge(self, letter: Letter, now_ms: int) -> Judgement:
        """A letter that has not been replayed, decoded and judged as if its record came now. Pure."""
        try:
            reports = decode_again(letter, now_ms)
        except NotAloneError as error:
            return Judgement(letter=letter, outcome=Outcome.NOT_REPLAYABLE, detail=str(error))
        except UndecodableError as error:
            return _again(letter, Reason.UNDECODABLE, str(error))
        for report in reports:
            problem = refusal(report.position, now_ms, self.limits)
            if problem is not None:
                return _again(letter, *problem)
        passed = tuple(passed for report in reports for passed in self._unblocked(report, now_ms))
        if not passed:
            return Judgement(letter=letter, outcome=Outcome.BLOCKED, detail="the block list drops it")
        return Judgement(letter=letter, outcome=Outcome.REPLAYED, reports=passed)

    def _unblocked(self, report: Report, now_ms: int) -> Iterator[Report]:
        for position in self.blocked.apply([report.position], now_ms):
            yield report if position == report.position else Report(position)


def _again(letter: Letter, reason: Reason, detail: str) -> Judgement:
    return Judgement(letter=letter, outcome=Outcome.REFUSED_AGAIN, reason=reason, detail=detail)


@dataclass(slots=True)
class Summary:
    """What came of a replay; the examples are of letters that did not go back."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reports: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # of those refused again
    not_replayable: Counter[str] = field(default_factory=Counter)  # why

    def count(self, judgement: Judgement) -> None:
        """Adds what came of one letter."""
        self.outcomes[judgement.outcome] += 1
        self.reports += len(judgement.reports)
        if judgement.reason is not None:
            self.reasons[judgement.reason] += 1
        if judgement.outcome is Outcome.NOT_REPLAYABLE:
            self.not_replayable[judgement.detail] += 1


def judged(
    entries: Iterable[Letter | Mark], marks: frozenset[Place], wanted: Wanted, rules: Rules, now_ms: Callable[[], int]
) -> Iterator[Judgement]:
    """What is to be done with each letter that is wanted, in their order."""
    for entry in entries:
        if not isinstance(entry, Letter) or not wanted.takes(entry):
            continue
        if entry.place in marks:
            yield Judgement(letter=entry, outcome=Outcome.ALREADY_REPLAYED, detail="already replayed")
        else:
            yield rules.judge(entry, now_ms())


def dry_run(
    settings: Settings, wanted: Wanted, *, backfill: bool = False, limit: int | None = None
) -> Iterator[Judgement]:
    """What a replay would do now with each letter. Nothing is written, and no other replay is disturbed."""
    marks = _marks(settings)
    yield from _limited(_judgements(settings, marks, wanted, backfill=backfill), limit)


def replay(
    settings: Settings, wanted: Wanted, *, backfill: bool = False, limit: int | None = None
) -> Iterator[Judgement]:
    """Replays the letters that are wanted, at most `limit` of them; yields each when its transaction is committed.

    Raises FencedError where another replay has taken over, FlightError where the topics grow or Kafka refuses a
    transaction: what was yielded is done, the rest is not.
    """
    if not read_layout(kafka.admin(settings), settings).settled:
        raise FlightError("the topics grow, and nothing may be sent meanwhile: start the replay again after that")
    outlet = Outlet(settings)  # first: what another replay has open ends here, so that the marks are all of them
    marks = _marks(settings)
    chunk: list[Judgement] = []
    try:
        for judgement in _limited(_judgements(settings, marks, wanted, backfill=backfill), limit):
            chunk.append(judgement)
            if len(chunk) >= _CHUNK_LETTERS or sum(len(j.letter.original) for j in chunk) >= _CHUNK_BYTES:
                outlet.commit(chunk)
                yield from chunk
                chunk = []
        outlet.commit(chunk)
        yield from chunk
    except KafkaException as error:
        raise _refused(error) from error


def _marks(settings: Settings) -> frozenset[Place]:
    return frozenset(entry.of for entry in read_all(settings, to_the_end=True) if isinstance(entry, Mark))


def _judgements(settings: Settings, marks: frozenset[Place], wanted: Wanted, *, backfill: bool) -> Iterator[Judgement]:
    """The judgements of all letters that are wanted; raises FlightError where one that was named is not there."""
    missing = set(wanted.places)
    rules = Rules.of(settings, backfill=backfill)
    for judgement in judged(read_all(settings), marks, wanted, rules, kafka.now_ms):
        missing.discard(judgement.letter.place)
        yield judgement
    if missing:
        raise no_letter(min(missing))


def _limited(judgements: Iterator[Judgement], limit: int | None) -> Iterator[Judgement]:
    """All until so many letters go back: those that cannot go do not stand in the way of others."""
    left = limit
    for judgement in judgements:
        yield judgement
        if left is not None and judgement.outcome is Outcome.REPLAYED:
            left -= 1
            if left <= 0:
                return


class Outlet:
    """The one way back into `flight.reports`: whoever opens it last has it."""

    def __init__(self, settings: Settings) -> None:
        self._reports, self._letters = settings.topic(TOPIC_REPORTS), settings.topic(TOPIC_DEAD_LETTERS)
        self._producer: Producer = kafka.producer(
            settings,
            **{
                "transactional.id": settings.group("dead-letters-replay"),
                "transaction.timeout.ms": kafka.TRANSACTION_TIMEOUT_MS,
            },
        )
        _patiently(lambda: self._producer.init_transactions(_TRY_S))

    def commit(self, judgements: list[Judgement]) -> None:
        """The reports of the letters that go back and the marks of these, in one transaction; raises KafkaException."""
        going = [judgement for judgement in judgements if judgement.outcome is Outcome.REPLAYED]
        if not going:
            return
        self._producer.begin_transaction()
        try:
            now_ms = kafka.now_ms()
            for judgement in going:
                self._send(judgement, now_ms)
            self._end()
        except BaseException as error:
            self._give_up(error)
            raise

    def _send(self, judgement: Judgement, now_ms: int) -> None:
        for report in judgement.reports:
            data = encode(report.position) if report.data is None else report.data
            self._produce(self._reports, data, report.position.icao24)
        place = judgement.letter.place
        headers = mark(place, reports=len(judgement.reports), now_ms=now_ms)
        self._produce(self._letters, None, None, partition=place[0], headers=headers)

    def _produce(self, topic: str, value: bytes | None, key: str | None, **more: object) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, **more)  # type: ignore[arg-type]
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def _end(self) -> None:
        _patiently(lambda: self._producer.commit_transaction(_TRY_S))

    def _give_up(self, error: BaseException) -> None:
        """Ends the open transaction, where it is still ours; else Kafka ends it."""
        if isinstance(error, KafkaException) and error.args[0].fatal():
            return
        try:
            self._producer.abort_transaction(_TRY_S)
        except KafkaException as problem:
            log.warning("abort_failed", problem=problem.args[0].str(), hint="Kafka ends the transaction in 10 s")


def _patiently(call: Callable[[], _T]) -> _T:
    """Calls again, for a while, when Kafka says that it may: it is busy, or ends what another replay has open."""
    deadline = monotonic() + _PATIENCE_S
    while True:
        try:
            return call()
        except KafkaException as error:
            if not error.args[0].retriable() or monotonic() > deadline:
                raise
            log.warning("waiting_for_kafka", problem=error.args[0].str())


def _refused(error: KafkaException) -> FlightError:
    problem = error.args[0]
    if problem.fatal():
        return FencedError("another replay of dead letters has taken over; what it does not take, replay after it")
    return FlightError(
        f"Kafka refused a transaction of the replay ({problem.str()}); start it again: it goes on with what is left"
    )
