"""Growing: all three co-partitioned topics get more partitions, while feeds run, and every aircraft keeps its flight.

    1  hold      the topic flight.growing is made: feeds hold what comes       (undone where 1 to 2 do not succeed)
    2  drain     trackers judge what is there, live and history take what came of it
    3  tracker   flight.tracker grows; the topics disagree, so trackers leave their group
    4  state     what is believed of each aircraft moves to its new partition, in one transaction
    5  topics    flight.positions grows, then flight.reports: the topics agree again
    6  go on     trackers come back; flight.growing goes, and feeds send what they held, in order

Which step comes next is read from Kafka alone. So whoever is killed in between, at any place: the same command again
goes on from there. No aircraft has reports in two partitions that are not judged yet, since nothing is sent from 1 to 6
and nothing waits from 2 on; so nothing overtakes. Nobody judges while state moves: a tracker that was away and wakes up
is no member any more, and Kafka refuses its transaction.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from flight_platform import kafka
from flight_platform.errors import FlightError, ServerUnavailableError, SettingsError
from flight_platform.lag import GroupLag
from flight_platform.layout import LEASE_S, LOOK_S, Layout, read_layout
from flight_platform.names import TOPIC_GROWING, TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER, Stage
from flight_platform.settings import Settings
from streaming.tracker_move import move_state

PATIENCE_S: Final = 120.0  # for a step that others do: hold, drain, stand by, come back
MOST_PARTITIONS: Final = 1024
_ANSWER_S: Final = 10.0
_LOOK_S: Final = 0.25
_QUIET_S: Final = 1.0  # no report for so long: what feeds had on its way has arrived

_T = TypeVar("_T")


class GrowthError(FlightError):
    """The topics did not grow, or not all the way; the message says what stands in the way and what holds meanwhile."""


class Progress(Protocol):
    """What is told of a growth: `cli.progress.Progress` is one."""

    def step(self, text: str, /) -> AbstractContextManager[None]: ...

    def note(self, text: str, /) -> None: ...


class Quiet:
    """Tells nothing."""

    def step(self, _text: str, /) -> AbstractContextManager[None]:
        return nullcontext()

    def note(self, _text: str, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What a growth came to: partitions before and now, aircraft whose state moved, for how long feeds held."""

    before: int
    partitions: int
    moved: int
    held_s: float


def grow(
    settings: Settings, partitions: int, progress: Progress | None = None, patience_s: float = PATIENCE_S
) -> Grown:
    """Gives the co-partitioned topics that many partitions, or ends a growth to that many which was interrupted.

    Raises SettingsError where that number cannot be, GrowthError where a process does not do its part in time,
    ServerUnavailableError where Kafka does not answer.
    """
    growing = _Growing(settings, partitions, progress or Quiet(), patience_s)
    try:
        return growing.run()
    except GrowthError as error:
        raise GrowthError(f"{error}; {growing.meanwhile}") from error.__cause__
    except KafkaException as error:
        raise ServerUnavailableError(
            f"Kafka at {settings.kafka_bootstrap} does not answer ({error.args[0].str()}): start it, or name your "
            f"broker in FLIGHT_KAFKA_BOOTSTRAP; {growing.meanwhile}"
        ) from error
    except KeyboardInterrupt:
        raise GrowthError(f"interrupted; {growing.meanwhile}") from None


class _Growing:
    """One run."""

    def __init__(self, settings: Settings, partitions: int, progress: Progress, patience_s: float) -> None:
        self._settings, self._target, self._progress, self._patience_s = settings, partitions, progress, patience_s
        self._admin: AdminClient = kafka.admin(settings)
        self._held_since: float | None = None

    def run(self) -> Grown:
        before = self._checked(self._layout())
        has_grown = before.agrees and before.reports == self._target
        if has_grown and before.settled:
            return Grown(before=before.reports, partitions=self._target, moved=0, held_s=0.0)
        with self._undone_before_anything_grows():
            self._hold()
            if before.agrees and not has_grown:
                self._drain()
        moved = 0
        if not has_grown:
            moved = self._move_state()
            self._grow_topics()
        self._go_on()
        held_s = time.monotonic() - (self._held_since or 0.0)
        return Grown(before=min(before.reports, before.positions), partitions=self._target, moved=moved, held_s=held_s)

    @property
    def meanwhile(self) -> str:
        """How things stand where a growth did not come to its end."""
        if self._held_since is None:
            return "nothing has grown, and feeds go on"
        return f"feeds hold what comes until `flight topics grow --partitions {self._target}` has gone on to its end"

    def _layout(self) -> Layout:
        return read_layout(self._admin, self._settings)

    def _checked(self, now: Layout) -> Layout:
        """The layout, where it can grow to the target."""
        if 0 in (now.reports, now.positions, now.tracker):
            raise SettingsError("topics are missing: `flight topics create` makes them, with FLIGHT_KAFKA_PARTITIONS")
        if now.target is not None and now.target != self._target:
            raise SettingsError(
                f"a growth to {now.target} partitions is under way or was interrupted: "
                f"`flight topics grow --partitions {now.target}` ends it, then grow further"
            )
        most = max(now.reports, now.positions, now.tracker)
        if self._target < most:
            raise SettingsError(
                f"the topics have {most} partitions, and Kafka never takes one away: --partitions must be more"
            )
        if self._target > MOST_PARTITIONS:
            raise SettingsError(f"--partitions {self._target}: {MOST_PARTITIONS} is the most; docs/scaling.md says why")
        if now.tracker < self._target == now.reports == now.positions:
            raise SettingsError(
                f"flight.tracker alone has fewer partitions ({now.tracker}) than the others ({now.reports}), and its "
                f"trackers stand by: `flight topics grow --partitions {now.reports + 1}` makes all agree"
            )
        return now

    @contextmanager
    def _undone_before_anything_grows(self) -> Iterator[None]:
        """A failure, or Ctrl-C, lets the feeds go on where no topic has grown yet."""
        try:
            yield
        except BaseException:
            with suppress(KafkaException):
                if self._held_since is not None and self._layout().agrees:
                    self._release()
                    self._held_since = None
            raise

    def _hold(self) -> None:
        with self._progress.step("feeds hold what comes"):
            self._make_marker()
            self._held_since = time.monotonic()
            time.sleep(LEASE_S + LOOK_S)  # whoever has not seen it by then does not trust what he saw before
            self._wait(self._reports_are_quiet, self._who_does_not_hold)

    def _make_marker(self) -> None:
        topic = NewTopic(
            self._settings.topic(TOPIC_GROWING), self._target, replication_factor=self._settings.kafka_replication
        )
        for made in self._admin.create_topics([topic], operation_timeout=_ANSWER_S).values():
            try:
                made.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def _reports_are_quiet(self) -> bool:
        before = self._ends()
        time.sleep(_QUIET_S)
        return self._ends() == before

    def _who_does_not_hold(self) -> str:
        return (
            "flight.reports still gets reports: a feed does not hold. `flight status` has the notes of all feeds; one "
            "of an older version, a replay of dead letters or a producer of your own has to be stopped by hand"
        )

    def _drain(self) -> None:
        """Waits until all is judged and taken. A stage that does not run has no part in it, save that all is judged."""
        with self._progress.step("trackers judge what is there"):
            self._wait_until_judged()
        for stage in (Stage.LIVE, Stage.HISTORY):
            with self._progress.step(f"{stage} takes what came of it"):
                if self._ask(lambda stage=stage: self._members(stage)):  # type: ignore[misc]
                    self._wait_until_read(stage, TOPIC_POSITIONS, f"`flight {stage}` does not catch up")
                else:
                    self._progress.note(f"{stage} does not run: it goes on where it was when it does")

    def _move_state(self) -> int:
        with self._progress.step(f"flight.tracker has {self._target} partitions, and trackers stand by"):
            self._grow_topic(TOPIC_TRACKER, self._layout().tracker)
            self._wait(lambda: not self._members(Stage.TRACK), self._who_does_not_stand_by)
        with self._progress.step("what is believed of each aircraft moves"):
            return move_state(self._settings, self._target)

    def _who_does_not_stand_by(self) -> str:
        names = ", ".join(self._members(Stage.TRACK))
        return f"these trackers do not stand by, stop them by hand: {names}"

    def _grow_topics(self) -> None:
        with self._progress.step(f"flight.positions and flight.reports have {self._target} partitions"):
            self._grow_topic(TOPIC_POSITIONS, self._layout().positions)
            time.sleep(2 * LOOK_S)  # live consumers have seen it before anything lies in them
            self._grow_topic(TOPIC_REPORTS, self._layout().reports)
            self._wait(lambda: self._layout().agrees, lambda: f"Kafka's topics disagree: {self._layout()}")

    def _grow_topic(self, name: str, now: int) -> None:
        if now < self._target:
            topic = self._settings.topic(name)
            for done in self._admin.create_partitions(
                [NewPartitions(topic, self._target)], operation_timeout=_ANSWER_S
            ).values():
                done.result()

    def _go_on(self) -> None:
        with self._progress.step("trackers come back"):
            # Of a growth that was interrupted something may wait after all: it comes before what feeds hold.
            self._wait_until_judged()
        with self._progress.step("feeds go on"):
            self._release()

    def _release(self) -> None:
        for done in self._admin.delete_topics(
            [self._settings.topic(TOPIC_GROWING)], operation_timeout=_ANSWER_S
        ).values():
            done.result()

    def _wait_until_judged(self) -> None:
        self._wait_until_read(Stage.TRACK, TOPIC_REPORTS, "does `flight track` run?")

    def _wait_until_read(self, stage: Stage, name: str, hint: str) -> None:
        with GroupLag(self._settings, self._settings.group(stage), self._settings.topic(name)) as lag:
            self._wait(lambda: not lag.records(), lambda: f"{lag.records()} records of {name} wait for {stage}: {hint}")

    def _wait(self, done: Callable[[], bool], problem: Callable[[], str]) -> None:
        deadline = time.monotonic() + self._patience_s
        while not self._ask(done):
            if time.monotonic() > deadline:
                raise GrowthError(f"{self._ask(problem)} (waited {self._patience_s:g} s)")
            time.sleep(_LOOK_S)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """Asks Kafka again where it is away for a while, elects, or does not know a young partition yet."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return question()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_S)

    def _members(self, stage: Stage) -> list[str]:
        """The processes in a stage's group."""
        group = self._settings.group(stage)
        described = self._admin.describe_consumer_groups([group], request_timeout=_ANSWER_S)[group].result()
        return [member.client_id for member in described.members]

    def _ends(self) -> dict[TopicPartition, int]:
        """Where the partitions of flight.reports end."""
        topic = self._settings.topic(TOPIC_REPORTS)
        places = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(self._layout().reports)}  # type: ignore[no-untyped-call]
        answers = self._admin.list_offsets(places, request_timeout=_ANSWER_S)
        return {place: int(answer.result().offset) for place, answer in answers.items()}
