"""Where records go: the hash is Kafka's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.kafka import TRANSACTION_TIMEOUT_MS, murmur2, partition_of, partitions_of
from flight_platform.model import icao24_of, make_flight_id


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


@given(st.lists(st.integers(0, (1 << 25) - 1), min_size=1), st.integers(0, (1 << 32) - 1), st.integers(1, 1024))
def test_many_flights_have_the_partitions_of_their_addresses(addresses: list[int], second: int, count: int) -> None:
    flight_ids = np.array([make_flight_id(address, second) for address in addresses], dtype="i8")
    expected = [partition_of(icao24_of(address), count) for address in addresses]
    assert partitions_of(flight_ids, count).tolist() == expected


def test_a_killed_trackers_transaction_ends_within_the_takeover_time() -> None:
    assert TRANSACTION_TIMEOUT_MS <= 10_000
