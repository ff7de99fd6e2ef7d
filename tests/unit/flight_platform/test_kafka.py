"""Where records go: the hash is Kafka's own."""

import pytest

from flight_platform.kafka import TRANSACTION_TIMEOUT_MS, murmur2, partition_of


# Known answers of org.apache.kafka.common.utils.UtilsTest, their sign bit cleared as partitioners do.
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0x7FFFFFFF


def test_partitions_are_used_evenly() -> None:
    counts = [0] * 12
    for address in range(0x3C0000, 0x3C0000 + 12_000):
        counts[partition_of(f"{address:06x}", 12)] += 1
    assert 800 < min(counts) <= max(counts) < 1200


def test_a_killed_trackers_transaction_ends_within_the_takeover_time() -> None:
    assert TRANSACTION_TIMEOUT_MS <= 10_000
