import hiredis
import numpy as np
from hypothesis import example, given, settings

from flight_platform.live.fields import FIELDS, command, position_of
from flight_platform.live.pack import pack_sets
from flight_platform.model import Emergency, Kind, Position, make_flight_id
from tests.integration.live.samples import BATCHES, columns_of, sample

WINDOW_MS = 60_000


def commands_in(packed: bytes) -> list[list[bytes]]:
    reader = hiredis.Reader()
    reader.feed(packed)
    commands = []
    while (words := reader.gets()) is not False:
        commands.append(words)
    assert not reader.has_data()
    return commands


def stripped(words: list[bytes]) -> list[bytes | float]:
    """The words without what a server strips: blanks around fields, and how a number is written."""
    end, point = words.index(b"EX"), words.index(b"POINT")
    texts = [word.strip() for word in words[:end] + words[end + 2 : point]]
    return [*texts, float(words[end + 1]), *map(float, words[point + 1 :])]


@settings(deadline=None)  # the first call builds tables
@given(BATCHES)
@example([sample(1, 1_700_000_000_000, track_deg=0.0, ground_speed_kt=0.0)])
def test_a_packed_batch_says_the_same_as_the_plain_commands(positions: list[Position]) -> None:
    columns = columns_of(positions)
    now_ms = min(position.time for position in positions)
    left_ms = np.clip(columns["time"] + WINDOW_MS - now_ms, 1, WINDOW_MS).tolist()
    for only_absent in (False, True):
        plain = {}
        for row in range(len(columns)):
            words = command(columns, row, left_ms[row], only_absent=only_absent)
            plain[words[2]] = stripped(words)
        packed = pack_sets(columns, now_ms, WINDOW_MS, only_absent=only_absent)
        assert {words[2]: stripped(words) for words in commands_in(packed)} == plain


def test_every_set_names_every_field() -> None:
    bare = Position(icao24="3c6444", time=10**12, received_at=10**12, latitude=0, longitude=0, flight_id=1 << 40)
    (words,) = commands_in(pack_sets(columns_of([bare]), 10**12, WINDOW_MS))
    names = [words[i + 1].decode() for i, word in enumerate(words) if word == b"FIELD"]
    assert names == list(FIELDS)


def test_a_position_lives_for_what_is_left_of_the_window() -> None:
    now_ms = 1_700_000_000_000
    positions = [sample(1, now_ms - 59_500), sample(2, now_ms), sample(3, now_ms + 20_000), sample(4, now_ms - 99_999)]
    lives = [
        float(words[words.index(b"EX") + 1])
        for words in commands_in(pack_sets(columns_of(positions), now_ms, WINDOW_MS))
    ]
    assert lives == [0.5, 60.0, 60.0, 0.001]


def test_flights_with_and_without_an_icao_address_keep_their_ids() -> None:
    now_ms = 1_700_000_000_000
    positions = [
        sample(1, now_ms, flight_id=make_flight_id(0x13C6444, 0xFFFFFFFF), icao24="~3c6444"),
        sample(2, now_ms, flight_id=make_flight_id(0x00000A, 0), icao24="00000a"),
    ]
    ids = {words[2] for words in commands_in(pack_sets(columns_of(positions), now_ms, WINDOW_MS))}
    assert ids == {b"~3c6444-ffffffff", b"00000a-00000000"}


def test_a_label_of_a_newer_writer_is_unknown() -> None:
    columns = columns_of([sample(1, 1_700_000_000_000, emergency=Emergency.NONE, kind=Kind.ADSB)])
    columns.values["kind"][:] = 77
    (words,) = commands_in(pack_sets(columns, 1_700_000_000_000, WINDOW_MS))
    fields = {words[i + 1]: words[i + 2].strip().strip(b'"') for i, word in enumerate(words) if word == b"FIELD"}
    position = position_of(words[2], words[-2:], fields)
    assert position.kind is None
    assert position.emergency is Emergency.NONE
