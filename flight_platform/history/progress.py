"""How far Kafka is read: up to when every report that Kafka took is tracked, and what track wrote of it is stored.

    flight.reports    ── the oldest one that track has not committed ──► its append time is the answer
    flight.positions  ── all that stood there when we had asked for that is in history ──► the answer holds

No clock is compared with another one: the answer is the broker's, and the second step goes by offsets. An offset is no
count (transaction markers take offsets too), so where history stands before the end of a log, its next record is read.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException
from confluent_kafka import TopicPartition as Place

from flight_platform import kafka
from flight_platform.history.sql import query
from flight_platform.lag import first_unread
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS, Stage
from flight_platform.settings import Settings

_ANSWER_S: Final = 3.0  # for one answer of Kafka
_PATIENCE_S: Final = 10.0  # history is some 0.3 s behind track; one that needs longer is behind
_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`until`: every report that Kafka took before is judged and stored. None where it cannot be told, and why."""

    until: datetime | None
    problem: str = ""


def progress(settings: Settings, connection: psycopg.Connection[Any], *, patience_s: float = _PATIENCE_S) -> Progress:
    """Asks Kafka; waits up to `patience_s` for history to store what track had written when we asked."""
    try:
        with closing(_client(settings)) as client:
            asked_at = datetime.now(UTC)
            untracked = first_unread(client, settings.topic(TOPIC_REPORTS), _tracked(settings, client))
            ends = _ends(client, settings.topic(TOPIC_POSITIONS))
            behind = _wait_for_history(settings, connection, client, ends, patience_s)
    except KafkaException as error:
        return Progress(until=None, problem=f"Kafka did not answer: {error.args[0]}")
    if behind:
        return Progress(until=None, problem=f"history has not read all of partitions {', '.join(map(str, behind))} yet")
    appended = [at_ms for _, at_ms in untracked.values()]
    return Progress(until=datetime.fromtimestamp(min(appended) / 1000, UTC) if appended else asked_at)


def _client(settings: Settings) -> Consumer:
    """It belongs to no group: the name is only asked for."""
    return kafka.consumer(settings, group=settings.group("proof"), **{"enable.partition.eof": True, **kafka.PREFETCH})


def _tracked(settings: Settings, client: Consumer) -> dict[int, int]:
    """Where track stands in each partition of the reports; at the beginning where it has committed nothing."""
    topic = settings.topic(TOPIC_REPORTS)
    places = [Place(topic, number) for number in _partitions(client, topic)]
    group, now = settings.group(str(Stage.TRACK)), {"isolation.level": "read_uncommitted"}  # wait for no transaction
    with closing(kafka.consumer(settings, group=group, **now)) as asking:  # joins no group: it subscribes to nothing
        committed = asking.committed(places, timeout=2 * _ANSWER_S)
    return {place.partition: place.offset if place.offset >= 0 else OFFSET_BEGINNING for place in committed}


def _wait_for_history(
    settings: Settings,
    connection: psycopg.Connection[Any],
    client: Consumer,
    ends: Mapping[int, int],
    patience_s: float,
) -> list[int]:
    """The partitions of which history has not stored all records below these ends when patience is at its end."""
    topic, deadline = settings.topic(TOPIC_POSITIONS), time.monotonic() + patience_s
    while True:
        known = dict(connection.execute(query("offsets_of_topic"), {"topic": topic}).fetchall())
        # Where a log is empty there is nothing that history could know of it.
        short = {n: known.get(n, OFFSET_BEGINNING) for n, end in ends.items() if known.get(n, 0) < end}
        unread = first_unread(client, topic, short)
        behind = sorted(number for number, (offset, _) in unread.items() if offset < ends[number])
        if not behind or time.monotonic() > deadline:
            return behind
        time.sleep(_PAUSE_S)


def _partitions(client: Consumer, topic: str) -> list[int]:
    found = client.list_topics(topic, timeout=_ANSWER_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def _ends(client: Consumer, topic: str) -> dict[int, int]:
    return {
        number: client.get_watermark_offsets(Place(topic, number), timeout=_ANSWER_S)[1]
        for number in _partitions(client, topic)
    }
