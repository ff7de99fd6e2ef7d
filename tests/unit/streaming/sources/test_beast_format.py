"""Beast frames: cutting, doubled bytes, what is no frame, and the three clocks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.sources.beast_format import (
    GARBAGE,
    MLAT,
    CounterClock,
    Frame,
    GpsClock,
    RepeatFilter,
    Splitter,
)
from tests.mode_s import beast

SHORT, LONG = bytes(range(7)), bytes.fromhex("8d71be3458b503d2b5553fa0d70c")


def cut(*pieces: bytes) -> list[Frame | bytes]:
    """All that comes out of some pieces."""
    splitter = Splitter()
    return [part for piece in pieces for part in splitter.feed(piece)] + splitter.finish()


def test_frames_of_each_length_and_none_for_mode_ac() -> None:
    stream = beast(SHORT, 5) + beast(b"\x12\x34", 6) + beast(LONG, 7)
    assert cut(stream) == [Frame(5, SHORT), Frame(7, LONG)]


def test_doubled_bytes_are_single_again_wherever_they_stand() -> None:
    message = b"\x1a" * 14
    stream = beast(message, 0x1A1A1A1A1A1A, 0x1A)
    assert len(stream) == 2 + 2 * 21
    assert cut(stream, beast(SHORT)) == [Frame(0x1A1A1A1A1A1A, message), Frame(12_000_000, SHORT)]


def test_a_stream_is_joined_in_the_middle_of_a_frame_without_a_word() -> None:
    whole = beast(LONG)
    assert cut(whole[5:] + whole) == [Frame(12_000_000, LONG)]


def test_a_frame_that_the_next_one_cuts_short_is_told_and_the_next_one_kept() -> None:
    whole = beast(LONG)
    assert cut(whole + whole[:-4] + whole) == [Frame(12_000_000, LONG), whole[:-4], Frame(12_000_000, LONG)]


def test_half_a_frame_at_the_end_is_told() -> None:
    whole = beast(LONG)
    assert cut(whole + whole[:9]) == [Frame(12_000_000, LONG), whole[:9]]


def test_a_stream_of_something_else_is_told_soon() -> None:
    text = b"MSG,3,1,1,400159,1,2018/04/03\r\n" * 200
    (told,) = Splitter().feed(text)
    assert told == text[:GARBAGE]


def test_what_receivers_add_of_their_own_is_passed_over() -> None:
    receiver = b"\x1a\xe3" + bytes([1, 2, 0x1A, 0x1A, 3, 4, 5, 6, 7])
    status, pong = b"\x1a4" + bytes(21), b"\x1aP" + bytes(3)
    whole = beast(SHORT)
    assert cut(whole, receiver + whole, status + pong, whole) == [Frame(12_000_000, SHORT)] * 3


messages = st.one_of([st.binary(min_size=n, max_size=n) for n in (2, 7, 14)])
frames = st.builds(beast, messages, st.integers(0, 2**48 - 1), st.integers(0, 255))
# Bytes that make trouble: halves of frames, lone and doubled escapes.
parts = st.one_of(frames, st.binary(max_size=30), st.lists(st.sampled_from([0x1A, 0x31, 0x33]), max_size=9).map(bytes))


@given(st.lists(parts, max_size=8).map(b"".join), st.lists(st.integers(0, 300), max_size=10))
def test_how_the_bytes_are_cut_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut_at, len(stream)) for cut_at in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    assert cut(*pieces) == cut(stream)
    assert cut(*(stream[i : i + 1] for i in range(len(stream)))) == cut(stream)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([7, 14]).flatmap(lambda n: st.binary(min_size=n, max_size=n)), st.integers(0, 2**48 - 1)
        ),
        max_size=6,
    )
)
def test_what_is_written_is_read(sent: list[tuple[bytes, int]]) -> None:
    stream = b"".join(beast(message, counter) for message, counter in sent)
    assert cut(stream) == [Frame(counter, message) for message, counter in sent]


def test_only_exact_repeats_of_timed_frames_are_repeats() -> None:
    repeats = RepeatFilter()
    assert [repeats.is_repeat(Frame(5, SHORT)) for _ in range(2)] == [False, True]
    assert not repeats.is_repeat(Frame(6, SHORT))
    assert not repeats.is_repeat(Frame(5, LONG))
    for counter in (0, MLAT, 2**48 - 1):
        assert [repeats.is_repeat(Frame(counter, SHORT)) for _ in range(2)] == [False, False]


def test_repeats_are_remembered_for_long_but_not_for_ever() -> None:
    repeats = RepeatFilter()
    for counter in range(1, 150_001):
        assert not repeats.is_repeat(Frame(counter, SHORT))
    assert repeats.is_repeat(Frame(60_000, SHORT))
    for counter in range(150_001, 300_001):
        assert not repeats.is_repeat(Frame(counter, SHORT))
    assert not repeats.is_repeat(Frame(60_000, SHORT))


def test_the_counter_runs_at_12_mhz_from_the_start() -> None:
    clock = CounterClock(1_000_000)
    counters = [3_349_832_057_515, 3_349_832_057_515 + 12_000, 3_349_832_057_515 + 18_000_000, MLAT]
    assert [clock.read(Frame(counter, SHORT), 0) for counter in counters] == [
        1_000_000,
        1_000_001,
        1_001_500,
        1_001_500,
    ]


def test_a_little_out_of_order_is_kept_and_a_restart_goes_on() -> None:
    clock = CounterClock(0)
    second = 12_000_000
    counters = [500 * second, 510 * second, 505 * second, 7 * second, 9 * second]
    times = [clock.read(Frame(counter, SHORT), 0) for counter in counters]
    assert times == [0, 10_000, 5_000, 5_000, 7_000]


@pytest.mark.parametrize(
    ("near", "seconds_of_day", "expected"),
    [
        (1_522_782_148_000, 68_548.136, 1_522_782_148_136),  # 2018-04-03 19:02:28
        (1_522_799_999_000, 0.5, 1_522_800_000_500),  # over midnight
        (1_522_800_001_000, 86_399.9, 1_522_799_999_900),  # and back
    ],
)
def test_gps_tells_the_time_of_the_day(near: int, seconds_of_day: float, expected: int) -> None:
    counter = int(seconds_of_day) << 30 | round(seconds_of_day % 1 * 1e9)
    assert GpsClock(near).read(Frame(counter, SHORT), 0) == expected
    assert GpsClock().read(Frame(counter, SHORT), near) == expected


def test_a_gps_time_beyond_the_day_is_none() -> None:
    assert GpsClock().read(Frame(90_000 << 30, SHORT), 42) == 42
