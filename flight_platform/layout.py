"""How many partitions the topics have now, and whether they are growing: what all processes must agree on.

    flight.growing is there, or the counts differ   ►  feeds hold
    the counts differ                               ►  trackers stand by

A growth is under way as long as the topic `flight.growing` exists; it has as many partitions as the others shall have.
So the signal lies where feeds look anyway, outlives every process, needs no Postgres, and any Kafka tool shows it. A
process that cannot look does not trust what it saw for longer than `LEASE_S`: whoever makes the topic and waits for so
long knows that all feeds hold, without asking any. How topics grow does not belong here (`streaming/growing.py`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from flight_platform import kafka
from flight_platform.names import TOPIC_GROWING, TOPIC_POSITIONS, TOPIC_REPORTS, TOPIC_TRACKER
from flight_platform.settings import Settings

log = structlog.get_logger()

LOOK_S: Final = 1.0
LEASE_S: Final = 7.0  # longer than a feed needs to see that Kafka is silent: then that is what it says
_ANSWER_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The numbers of partitions; `target` is the one of a growth that is under way. 0 where a topic is missing."""

    reports: int
    positions: int
    tracker: int
    target: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether an aircraft's reports, positions and state lie in partitions of one number."""
        return self.reports == self.positions == self.tracker > 0

    @property
    def settled(self) -> bool:
        """Whether reports may be sent."""
        return self.agrees and self.target is None


def read_layout(client: AdminClient, settings: Settings) -> Layout:
    """The layout now; raises KafkaException where Kafka does not tell. Makes no topic by asking for it."""
    names = (TOPIC_REPORTS, TOPIC_POSITIONS, TOPIC_TRACKER, TOPIC_GROWING)
    wanted = TopicCollection([settings.topic(name) for name in names])
    counts = {}
    for topic, future in client.describe_topics(wanted, request_timeout=_ANSWER_S).items():
        try:
            counts[topic] = len(future.result().partitions)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            counts[topic] = 0
    reports, positions, tracker, target = (counts[settings.topic(name)] for name in names)
    return Layout(reports=reports, positions=positions, tracker=tracker, target=target or None)


class LayoutWatch:
    """Looks each second, in a thread of its own, from `with` to its end."""

    def __init__(self, settings: Settings, read: Callable[[AdminClient, Settings], Layout] = read_layout) -> None:
        self._settings, self._read = settings, read
        self._client = kafka.admin(settings)
        self._seen: tuple[Layout, float] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="layout", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=_ANSWER_S)

    @property
    def layout(self) -> Layout | None:
        """What was seen last, however long ago; None before that."""
        return self._seen[0] if self._seen else None

    def open_to(self) -> int | None:
        """How many partitions reports may be sent to: 0 while the topics grow, None where Kafka does not say."""
        if self._seen is None or time.monotonic() - self._seen[1] > LEASE_S:
            return None
        layout = self._seen[0]
        return layout.reports if layout.settled else 0

    def look(self) -> Layout:
        """Looks at once; raises KafkaException where Kafka does not tell."""
        began = time.monotonic()  # the answer may be as old as the question
        layout = self._read(self._client, self._settings)
        if self._seen is not None and layout != self._seen[0]:
            log.info("layout_changed", layout=layout)
        self._seen = layout, began
        return layout

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except KafkaException as error:
                log.debug("layout_unknown", problem=str(error.args[0]))
            self._stop.wait(LOOK_S)
