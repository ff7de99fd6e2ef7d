"""Partitions that no process reads, though records lie before them: a member is gone, a topic has grown unnoticed.

    where the stage goes on: its group's offsets in Kafka, of history ops.offsets ──┐
    where each log ends, for those who read what is committed ──────────────────────┴──► Standstill ──► heartbeat

Of a partition that it does not have a process knows nothing, so each process of a stage looks at all of them from
outside, every few seconds in a thread of its own: whoever is left tells of the others, without anybody in between. What
the stage reads moves from look to look and costs two questions; of what does not, one record is read to tell it from
the markers of transactions. Where Kafka, or of history Postgres, does not answer nothing is told.
"""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import psycopg
import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from flight_platform import kafka
from flight_platform.history.sql import query
from flight_platform.lag import committed, first_unread
from flight_platform.layout import read_layout
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings
from flight_platform.watch.heartbeats import Heartbeat

log = structlog.get_logger()

_EVERY_S: Final = 3.0  # with the threshold and a look at the heartbeats each 5 s: named within threshold + 10 s
_ANSWER_S: Final = 3.0
_TOPICS: Final = {Stage.TRACK: TOPIC_REPORTS, Stage.LIVE: TOPIC_POSITIONS, Stage.HISTORY: TOPIC_POSITIONS}


@contextmanager
def watched(settings: Settings, beat: Heartbeat) -> Iterator[None]:
    """Looks while the body runs, and lets the heartbeat tell; does nothing for a stage that reads no topic."""
    end = threading.Event()

    def watch() -> None:
        with closing(Outside(settings, beat.stage)) as outside:
            while not end.wait(_EVERY_S):
                try:
                    beat.unread.look(outside.places())
                except (KafkaException, psycopg.Error) as error:
                    log.debug("unread_unknown", problem=str(error).strip())
                    beat.unread.look({})

    thread = threading.Thread(target=watch, name="unread", daemon=True)
    if beat.stage in _TOPICS:
        thread.start()
    try:
        yield
    finally:
        end.set()  # not waited for: it may be in the middle of a question


class Outside:
    """Where a stage stands in each partition of its topic, as others see it. For one thread."""

    def __init__(self, settings: Settings, stage: Stage) -> None:
        self._settings, self._stage, self._name = settings, stage, _TOPICS[stage]
        self._topic = settings.topic(self._name)
        self._admin = kafka.admin(settings)
        # Joins no group: it subscribes to nothing. (An admin client that is asked for the offsets of a group whose
        # coordinator is away ends the process: librdkafka's issue 5040.)
        self._asking: Consumer | None = None
        self._postgres: psycopg.Connection | None = None
        self._before: dict[int, int] = {}
        # By partition: from where on it was read, and up to where there is no record; None where there is one.
        self._read: dict[int, tuple[int, int | None]] = {}

    def places(self) -> dict[int, tuple[int, int]]:
        """Of each partition the offset where the stage goes on, and how many lie before it: 0 where none is a record.

        One whose leader does not answer is left out. Raises KafkaException and psycopg.Error.
        """
        layout = read_layout(self._admin, self._settings)
        numbers = range(layout.reports if self._name == TOPIC_REPORTS else layout.positions)
        taken, ends = self._taken(numbers), self._ends(numbers)
        places = {number: (taken.get(number, 0), end) for number, end in ends.items()}
        # What has moved since the last look is read by somebody: what lies before it may be markers or not.
        unmoved = {n: (at, end) for n, (at, end) in places.items() if at < end and self._before.get(n) == at}
        markers = unmoved.keys() - self._with_records(unmoved)
        self._before = {number: at for number, (at, _) in places.items()}
        return {number: (at, 0 if number in markers else max(0, end - at)) for number, (at, end) in places.items()}

    def close(self) -> None:
        """Leaves Kafka and Postgres."""
        if self._asking is not None:
            self._asking.close()
        self._leave_postgres()

    def _taken(self, numbers: range) -> dict[int, int]:
        if self._stage is Stage.HISTORY:
            return self._stored()
        if self._asking is None:
            now = {"isolation.level": "read_uncommitted"}  # wait for no transaction
            self._asking = kafka.consumer(self._settings, group=self._settings.group(self._stage), **now)
        return committed(self._asking, self._topic, numbers, _ANSWER_S)

    def _stored(self) -> dict[int, int]:
        """Of history Kafka is told the offsets for tools alone: Postgres has them."""
        try:
            if self._postgres is None:
                name = f"{self._settings.instance} unread"
                url = self._settings.postgres_url.get_secret_value()
                self._postgres = psycopg.connect(url, autocommit=True, connect_timeout=3, application_name=name)
            return dict(self._postgres.execute(query("offsets_of_topic"), {"topic": self._topic}).fetchall())
        except psycopg.Error:
            self._leave_postgres()
            raise

    def _leave_postgres(self) -> None:
        if self._postgres is not None:
            self._postgres.close()
            self._postgres = None

    def _ends(self, numbers: range) -> dict[int, int]:
        asked = {Place(self._topic, number): OffsetSpec.latest() for number in numbers}  # type: ignore[no-untyped-call]
        answers = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ANSWER_S
        )
        ends = {}
        for place, answer in answers.items():
            try:
                ends[place.partition] = int(answer.result().offset)
            except KafkaException as error:
                log.debug("end_unknown", partition=place.partition, problem=str(error.args[0]))
        return ends

    def _with_records(self, behind: dict[int, tuple[int, int]]) -> set[int]:
        """The partitions with a record between where the stage goes on and the end; each place is read once."""
        new = {n: at for n, (at, end) in behind.items() if self._read.get(n) not in ((at, None), (at, end))}
        if new:
            more = {"enable.partition.eof": True, **kafka.PREFETCH}
            with closing(kafka.consumer(self._settings, group=self._settings.group("unread"), **more)) as client:
                found = first_unread(client, self._topic, new)
            self._read |= {number: (at, None if number in found else behind[number][1]) for number, at in new.items()}
        return {number for number in behind if self._read[number][1] is None}
