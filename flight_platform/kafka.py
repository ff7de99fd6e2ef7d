"""Kafka: how clients are set up, where records go and how topics are made.

The partition of `flight.reports`, `flight.positions` and `flight.tracker` is murmur2(address) mod N: librdkafka's own
partitioner does it for the reports (their key is the address), and the tracker writes to the partition that it reads.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from flight_platform import names
from flight_platform.errors import ServerUnavailableError, SettingsError
from flight_platform.model import NON_ICAO_BIT
from flight_platform.settings import Settings

log = structlog.get_logger()

CO_PARTITIONED: Final = (names.TOPIC_REPORTS, names.TOPIC_POSITIONS, names.TOPIC_TRACKER)
TRANSACTION_TIMEOUT_MS: Final = 10_000  # what a killed tracker's open transaction can hold readers back
MAX_MESSAGE_BYTES: Final = 9_000_000  # a dead letter holds up to 8 MB and its headers

# What a consumer of small records may have ahead of itself: a catch-up must not need more memory than the stream does.
# A record of 120 bytes takes several times that in librdkafka's queue, and a fetch comes compressed: by the bounds of
# `consumer` that made 650 MB. A record that is larger than a fetch comes all the same, alone.
PREFETCH: Final[dict[str, int]] = {
    "queued.max.messages.kbytes": 8_192,
    "queued.min.messages": 10_000,  # of a partition
    "fetch.message.max.bytes": 262_144,  # of a partition
    "fetch.max.bytes": 2_097_152,
}

_DAY_MS: Final = 86_400_000
# Retention: reports and positions as long as an operator may need to replay them into an empty store.
_TOPIC_CONFIG: Final[dict[str, dict[str, str]]] = {
    names.TOPIC_REPORTS: {"retention.ms": str(2 * _DAY_MS)},
    names.TOPIC_POSITIONS: {"retention.ms": str(2 * _DAY_MS)},
    names.TOPIC_TRACKER: {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.2",
        "segment.ms": "3600000",
    },
    names.TOPIC_DEAD_LETTERS: {
        "retention.ms": str(14 * _DAY_MS),
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    },
}


def producer(settings: Settings, **extra: Any) -> Producer:
    """A producer that keeps order, repeats nothing and spreads keyed records as Kafka's Java client does."""
    return Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "client.id": settings.instance,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "logger": _Quiet(),
            **extra,
        }
    )


def consumer(settings: Settings, *, group: str, **extra: Any) -> Consumer:
    """A consumer of the KIP-848 protocol that reads only what is committed and commits only what it is told to."""
    return Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "client.id": settings.instance,
            "group.id": group,
            "group.protocol": "consumer",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
            "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
            "queued.max.messages.kbytes": 65_536,
            "fetch.queue.backoff.ms": 50,
            # A partition that a topic grew by is unknown to the client until then: no offset of it can be asked for.
            # (To ask for metadata instead, by `list_topics` in a rebalance callback, ends the process: its binding
            # forgets there which thread is in `consume`, and the next callback of that call finds nobody.)
            "topic.metadata.refresh.interval.ms": 2_000,
            "logger": _Quiet(),
            **extra,
        }
    )


class _Quiet:
    """librdkafka's log lines as structured ones; it repeats a broker's absence for each connection, so that waits."""

    def log(self, level: int, message: str, *args: Any, **_: Any) -> None:
        log.debug("kafka_client", level=level, message=message % args if args else message)


def admin(settings: Settings) -> AdminClient:
    """An admin client."""
    return AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "logger": _Quiet()})  # type: ignore[dict-item]


def wait_for_kafka(settings: Settings, stopped: Callable[[float], bool]) -> bool:
    """Waits, with growing pauses, until Kafka answers and our topics are there; False where `stopped(pause_s)` says so.

    `stopped` sleeps up to that many seconds and tells whether to give up: `threading.Event.wait` does.
    """
    client = admin(settings)
    pause_s = 0.25
    wanted = {settings.topic(name) for name in _TOPIC_CONFIG}
    while True:
        try:
            missing = wanted - client.list_topics(timeout=3).topics.keys()
            if not missing:
                return True
            problem = f"topics are missing ({', '.join(sorted(missing))}); `flight topics create` makes them"
        except KafkaException as error:
            problem = str(error.args[0])
        log.warning("waiting_for_kafka", bootstrap=settings.kafka_bootstrap, problem=problem, next_try_s=pause_s)
        if stopped(pause_s):
            return False
        pause_s = min(pause_s * 2, 10)


def ensure_topics(settings: Settings, timeout_s: float = 30) -> dict[str, int]:
    """Makes the topics that are missing and returns each topic's number of partitions.

    Raises SettingsError where the co-partitioned topics do not agree with each other.
    """
    client = admin(settings)
    try:
        present = client.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise ServerUnavailableError(f"Kafka at {settings.kafka_bootstrap} does not answer: {error.args[0]}") from error
    # A topic that is there already tells how many partitions its kin must have.
    existing = {
        name: len(present[settings.topic(name)].partitions) for name in _TOPIC_CONFIG if settings.topic(name) in present
    }
    partitions = max((existing[name] for name in CO_PARTITIONED if name in existing), default=settings.kafka_partitions)
    missing = [
        NewTopic(
            settings.topic(name),
            num_partitions=partitions,
            replication_factor=settings.kafka_replication,
            config={"message.timestamp.type": "LogAppendTime", **config},
        )
        for name, config in _TOPIC_CONFIG.items()
        if name not in existing
    ]
    if missing:
        for topic, made in client.create_topics(missing, operation_timeout=timeout_s).items():
            try:
                made.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
            existing[topic.removeprefix(settings.kafka_topic_prefix)] = partitions
    counts = {existing[name] for name in CO_PARTITIONED}
    if len(counts) != 1:
        raise SettingsError(
            f"the topics {', '.join(CO_PARTITIONED)} must have one number of partitions, not {existing}: "
            f"`flight topics grow --partitions {max(counts)}` ends a growth that was interrupted"
        )
    return existing


def end_offsets(client: Consumer, partitions: list[TopicPartition]) -> dict[tuple[str, int], int]:
    """The offsets at which the log ends now, by topic and partition."""
    return {(p.topic, p.partition): client.get_watermark_offsets(p, timeout=10)[1] for p in partitions}


def headers_of(message: Message) -> dict[str, str]:
    """A record's headers as text."""
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return {name: (value or b"").decode("utf-8", "replace") for name, value in pairs}


def encode_headers(headers: Mapping[str, str]) -> list[tuple[str, str | bytes | None]]:
    """Text headers as Kafka takes them."""
    return [(name, value.encode()) for name, value in headers.items()]


def murmur2(key: bytes) -> int:
    """Kafka's own hash of a key, as its Java client and librdkafka compute it (32 bits, positive).

    Source: org.apache.kafka.common.utils.Utils.murmur2.
    """
    m, r, mask = 0x5BD1E995, 24, 0xFFFFFFFF
    length = len(key)
    h = 0x9747B28C ^ length
    for i in range(0, length - length % 4, 4):
        k = int.from_bytes(key[i : i + 4], "little") * m & mask
        k = (k ^ k >> r) * m & mask
        h = (h * m & mask) ^ k
    tail = key[length - length % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def partition_of(icao24: str, partitions: int) -> int:
    """The partition that holds an aircraft's reports, positions and tracker state."""
    return murmur2(icao24.encode()) % partitions


def partitions_of(flight_ids: npt.NDArray[Any], partitions: int) -> npt.NDArray[Any]:
    """The same for many flights at once, by their ids."""
    addresses = flight_ids >> 32
    hashes = _murmur2_of(addresses, b"")
    non_icao = (addresses & NON_ICAO_BIT) != 0
    if non_icao.any():
        hashes[non_icao] = _murmur2_of(addresses[non_icao], b"~")
    homes: npt.NDArray[Any] = hashes % partitions
    return homes


def _murmur2_of(addresses: npt.NDArray[Any], prefix: bytes) -> npt.NDArray[Any]:
    """`murmur2` of the texts of addresses: a block of four bytes and a tail, both looked up."""
    tail_bits = 8 if not prefix else 12
    h = _blocks(prefix)[addresses >> tail_bits & 0xFFFF >> 4 * len(prefix)]
    h = (h ^ _tails(tail_bits)[addresses & (1 << tail_bits) - 1]) * _M
    h = (h ^ h >> np.uint32(13)) * _M
    hashes: npt.NDArray[Any] = ((h ^ h >> np.uint32(15)) & np.uint32(0x7FFFFFFF)).astype("i8")
    return hashes


_M: Final = np.uint32(0x5BD1E995)
_HEX: Final = np.frombuffer(b"0123456789abcdef", dtype="u1").astype("u4")


@cache
def _blocks(prefix: bytes) -> npt.NDArray[Any]:
    """The hash after the first four bytes, by the digits among them."""
    k = _little_endian(prefix, 4 - len(prefix)) * _M
    start = (0x9747B28C ^ len(prefix) + 6) * int(_M) & 0xFFFFFFFF
    mixed: npt.NDArray[Any] = (k ^ k >> np.uint32(24)) * _M ^ np.uint32(start)
    return mixed


@cache
def _tails(bits: int) -> npt.NDArray[Any]:
    """The digits behind them as the number that is mixed in."""
    return _little_endian(b"", bits // 4)


def _little_endian(prefix: bytes, digits: int) -> npt.NDArray[Any]:
    """The prefix and a number's hexadecimal digits, as the number that these bytes are; for each number."""
    numbers = np.arange(16**digits, dtype="u4")
    result = np.full(len(numbers), int.from_bytes(prefix, "little"), dtype="u4")
    for place in range(digits):
        digit = numbers >> np.uint32(4 * (digits - 1 - place)) & np.uint32(0xF)
        result |= _HEX[digit] << np.uint32(8 * (len(prefix) + place))
    return result


def now_ms() -> int:
    """The wall clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000
