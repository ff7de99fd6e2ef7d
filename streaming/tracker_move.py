"""How what trackers believe moves when the topics get more partitions: each aircraft's state to its new partition.

    flight.tracker, flight.reports ──► as a tracker that takes over ──► flight.tracker: there, and no longer here

For when no tracker is a member of the group and flight.tracker has its new partitions: `growing.py` sees to that.
"""

from typing import Final

import structlog
from confluent_kafka import Producer

from flight_platform import kafka
from flight_platform.lag import GroupLag
from flight_platform.names import TOPIC_REPORTS, TOPIC_TRACKER, Stage
from flight_platform.settings import Settings
from streaming.tracker_restore import restore
from streaming.tracker_state import pack
from streaming.tracking import Aircraft

log = structlog.get_logger()

_ANSWER_S: Final = 30.0
_TRANSACTION_MS: Final = 120_000


def move_state(settings: Settings, partitions: int) -> int:
    """Moves what is believed of each aircraft to the partition that it has among so many; returns how many moved.

    All or nothing, and done twice it moves nothing more. Where an aircraft has a state in both places, the newer one
    stays.
    """
    topic = settings.topic(TOPIC_TRACKER)
    producer = _new_producer(settings)
    with GroupLag(settings, settings.group(Stage.TRACK), settings.topic(TOPIC_REPORTS)) as lag:
        committed = lag.committed()
    restored = restore(settings, committed)
    moved = 0
    producer.begin_transaction()
    for number, partition in restored.items():
        for icao24, known in partition.aircraft.items():
            home = kafka.partition_of(icao24, partitions)
            if home == number:
                continue
            there = restored[home].aircraft.get(icao24) if home in restored else None
            if there is None or _newest(there) < _newest(known):
                _produce(producer, topic, home, icao24, pack(known, committed.get(home, 0)))
            _produce(producer, topic, number, icao24, None)
            moved += 1
    producer.commit_transaction(_ANSWER_S)
    log.info("state_moved", aircraft=moved, partitions=partitions)
    return moved


def _newest(known: Aircraft) -> int:
    return max((flight.time for flight in known.flights), default=0)


def _new_producer(settings: Settings) -> Producer:
    """One at a time has its name: another growth that still runs can commit nothing any more."""
    producer = kafka.producer(
        settings,
        **{"transactional.id": settings.group("growing"), "transaction.timeout.ms": _TRANSACTION_MS},
    )
    producer.init_transactions(_ANSWER_S)
    return producer


def _produce(producer: Producer, topic: str, partition: int, key: str, value: bytes | None) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition)
        except BufferError:
            producer.poll(0.05)
        else:
            return
