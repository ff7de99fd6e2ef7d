"""How many reports were refused in a stretch of time, by reason: what Kafka took of dead letters then.

Only the headers matter here. What a letter holds, and its replay, are the matter of `streaming/dead_letters.py`.
"""

import time
from collections import Counter
from contextlib import closing
from datetime import datetime
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as Place

from flight_platform import kafka
from flight_platform.codec import unix_ms
from flight_platform.history.sql import query
from flight_platform.names import TOPIC_DEAD_LETTERS, Header
from flight_platform.settings import Settings

MOST: Final = 50_000  # letters that are counted: where there are more, the share is far beyond any threshold
_ANSWER_S: Final = 3.0
_BATCH: Final = 200


def refused_between(settings: Settings, from_time: datetime, to_time: datetime) -> Counter[str]:
    """Dead letters by reason that Kafka took in this stretch, `to_time` left out; raises KafkaException."""
    topic = settings.topic(TOPIC_DEAD_LETTERS)
    first_ms, end_ms = unix_ms(from_time), unix_ms(to_time)
    counts: Counter[str] = Counter()
    with closing(kafka.consumer(settings, group=settings.group("refusals"))) as client:
        present = client.list_topics(topic, timeout=_ANSWER_S).topics[topic]
        if present.error is not None:
            raise KafkaException(present.error)
        starts = client.offsets_for_times([Place(topic, n, first_ms) for n in present.partitions], timeout=_ANSWER_S)
        ends = {n: client.get_watermark_offsets(Place(topic, n), timeout=_ANSWER_S)[1] for n in present.partitions}
        left = {place.partition: ends[place.partition] for place in starts if 0 <= place.offset < ends[place.partition]}
        client.assign([place for place in starts if place.partition in left])
        deadline = time.monotonic() + 4 * _ANSWER_S
        while left and counts.total() < MOST and time.monotonic() < deadline:
            for message in client.consume(_BATCH, timeout=0.1):
                error, number = message.error(), message.partition()
                if error is not None:
                    raise KafkaException(error)
                if message.timestamp()[1] >= end_ms:
                    left.pop(number or 0, None)
                    continue
                headers = kafka.headers_of(message)
                if Header.REPLAY_OF not in headers:  # a mark is no letter
                    counts[headers.get(Header.REASON, "unknown")] += 1
            # The position passes aborted records and the transactions' own too, which never arrive.
            reached = {p.partition: p.offset for p in client.position([Place(topic, n) for n in left])} if left else {}
            left = {number: end for number, end in left.items() if reached[number] < end}
    return counts


def records_between(connection: psycopg.Connection[Any], from_time: datetime, to_time: datetime) -> int:
    """Records that history took in this stretch of wall-clock time."""
    row = connection.execute(query("ledger_records"), {"from_time": from_time, "to_time": to_time}).fetchone()
    return int(row[0]) if row else 0
