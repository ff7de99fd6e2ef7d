"""Mode S messages: what a report takes from which message, addresses, checksums, and nonsense."""

import pytest
import rs1090
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.model import Emergency, Kind, Position
from streaming.sources.mode_s_format import PAIR_MS, TRAIL_MS, Decoder, Heard, remainder
from streaming.sources.sbs_format import MOTION_MS
from tests.mode_s import airborne, identification, squitter, surface, velocity

NOW_MS = 1_522_782_148_000
SPOT = (59.7345, 31.9979)
PAIR = (squitter(airborne(*SPOT, odd=False)), squitter(airborne(*SPOT, odd=True)))
# DF 4, 5, 20 and 21 mix the address into the checksum. Squawk 1017 of 400159, from a real transponder.
SQUAWK_1017 = bytes.fromhex("282018154a9d59")


def reports(*messages: bytes, step_ms: int = 500, reference: tuple[float, float] | None = None) -> list[Position]:
    """The reports of messages that come one after the other."""
    heard = [Heard(message, NOW_MS + i * step_ms) for i, message in enumerate(messages)]
    return [position for position, _ in Decoder("rx", reference).take(heard, 5)]


def test_a_report_takes_the_newest_of_the_other_messages() -> None:
    emergency = 28 << 51 | 1 << 48 | 4 << 45 | 0b0101010110110 << 32  # no radio
    (position,) = reports(
        squitter(identification("DLH4TR")),
        squitter(velocity(-300, 400, -640, 125)),
        squitter(velocity(9, 9), "abcdef"),
        squitter(emergency),
        PAIR[0],
        PAIR[1],
    )
    assert position == Position(
        icao24="3c6444",
        time=NOW_MS + 2_500,
        received_at=5,
        latitude=position.latitude,
        longitude=position.longitude,
        altitude_ft=36_000,
        geometric_altitude_ft=36_125,
        on_ground=False,
        ground_speed_kt=500.0,
        track_deg=323.1,
        vertical_rate_fpm=-640,
        callsign="DLH4TR",
        squawk=position.squawk,
        emergency=Emergency.NO_RADIO,
        kind=Kind.ADSB,
        source="rx",
    )
    assert position.squawk is not None
    assert (position.latitude, position.longitude) == pytest.approx(SPOT, abs=1e-4)


def test_old_fields_are_unknown_and_level_flight_is_zero() -> None:
    fast = squitter(velocity(0, 400, 0))
    (level,) = reports(fast, *PAIR)
    assert (level.vertical_rate_fpm, level.track_deg, level.geometric_altitude_ft) == (0, 0.0, 36_000)
    decoder = Decoder("rx")
    decoder.take([Heard(fast, NOW_MS)], 5)
    later = NOW_MS + MOTION_MS + 1
    ((position, text),) = decoder.take([Heard(PAIR[0], later - 1), Heard(PAIR[1], later)], 5)
    assert (position.ground_speed_kt, position.vertical_rate_fpm) == (None, None)
    assert text == PAIR[1].hex()


def test_a_pair_may_come_in_two_pieces_but_not_far_apart() -> None:
    decoder = Decoder("rx")
    assert decoder.take([Heard(PAIR[0], NOW_MS)], 5) == []
    assert decoder.take([Heard(PAIR[1], NOW_MS + PAIR_MS + 1)], 5) == []
    assert len(decoder.take([Heard(PAIR[0], NOW_MS + 2 * PAIR_MS)], 5)) == 1
    assert decoder.counts["unplaced"] == 2


def test_one_message_is_enough_once_the_aircraft_has_been_placed() -> None:
    decoder = Decoder("rx")
    decoder.take([Heard(message, NOW_MS) for message in PAIR], 5)
    later = squitter(airborne(SPOT[0] + 0.1, SPOT[1], odd=False))
    ((position, _),) = decoder.take([Heard(later, NOW_MS + TRAIL_MS)], 5)
    assert position.latitude == pytest.approx(SPOT[0] + 0.1, abs=1e-4)
    assert decoder.take([Heard(later, NOW_MS + 2 * TRAIL_MS + 1)], 5) == []


def test_a_reference_places_by_one_message_if_it_is_near() -> None:
    assert reports(PAIR[0]) == []
    (position,) = reports(PAIR[0], reference=(59.0, 31.0))
    assert (position.latitude, position.longitude) == pytest.approx(SPOT, abs=1e-4)
    assert reports(PAIR[0], reference=(56.9, 31.9)) == []  # 170 NM: another zone would fit as well


def test_an_aircraft_on_the_ground_needs_a_place_nearby() -> None:
    taxiing = squitter(surface(*SPOT, odd=True))
    assert reports(taxiing, taxiing) == []
    (position,) = reports(taxiing, reference=(59.5, 31.5))
    assert (position.latitude, position.longitude) == pytest.approx(SPOT, abs=1e-5)
    assert (position.on_ground, position.altitude_ft, position.geometric_altitude_ft) == (True, None, None)
    assert (position.ground_speed_kt, position.track_deg, position.vertical_rate_fpm) == (15.0, 90.0, None)


def test_it_is_followed_from_the_air_to_the_ground() -> None:
    landed = reports(squitter(velocity(100, 100, -640)), *PAIR, squitter(surface(*SPOT, odd=False)))
    assert [position.on_ground for position in landed] == [False, True]
    assert landed[-1].vertical_rate_fpm is None


def test_a_geometric_height_is_no_barometric_altitude() -> None:
    high = [squitter(airborne(*SPOT, odd=odd, altitude_ft=3_275, code=20)) for odd in (False, True)]
    (position,) = reports(*high)
    assert (position.altitude_ft, position.geometric_altitude_ft) == (None, 3_275)


@pytest.mark.parametrize(
    ("control", "flag", "icao24", "kind"),
    [
        (0, 0, "3c6444", Kind.ADSB),
        (1, 0, "~3c6444", Kind.ADSB),
        (2, 0, "3c6444", Kind.TISB),
        (2, 1, "~3c6444", Kind.TISB),
        (5, 0, "~3c6444", Kind.TISB),
        (6, 0, "3c6444", Kind.ADSR),
        (6, 1, "~3c6444", Kind.ADSR),
    ],
)
def test_the_control_field_tells_kind_and_address(control: int, flag: int, icao24: str, kind: Kind) -> None:
    first = 18 << 3 | control
    pair = [squitter(airborne(*SPOT, odd=odd, flag=flag), first=first) for odd in (False, True)]
    (position,) = reports(*pair)
    assert (position.icao24, position.kind) == (icao24, kind)


def test_coarse_tisb_is_left_out() -> None:
    assert reports(*(squitter(airborne(*SPOT, odd=odd), first=18 << 3 | 3) for odd in (False, True))) == []


def test_a_position_from_many_receivers_is_mlat() -> None:
    heard = [Heard(message, NOW_MS, mlat=True) for message in PAIR]
    ((position, _),) = Decoder("rx").take(heard, 5)
    assert position.kind is Kind.MLAT


@pytest.mark.parametrize("first", [17 << 3 | 5, 18 << 3])
def test_a_wrong_bit_is_noise(first: int) -> None:
    pair = [squitter(airborne(*SPOT, odd=odd), first=first) for odd in (False, True)]
    broken = pair[1][:5] + bytes([pair[1][5] ^ 1]) + pair[1][6:]
    decoder = Decoder("rx")
    assert decoder.take([Heard(pair[0], NOW_MS), Heard(broken, NOW_MS)], 5) == []
    assert decoder.counts["undecodable"] == 1


def test_a_squawk_counts_only_for_an_aircraft_that_is_known() -> None:
    pair = [squitter(airborne(*SPOT, odd=odd), "400159") for odd in (False, True)]
    assert reports(SQUAWK_1017, *pair)[0].squawk is None
    assert reports(pair[0], SQUAWK_1017, pair[1])[0].squawk == "1017"


def test_the_checksum_is_that_of_the_library() -> None:
    message = bytes.fromhex("8d71be3458b503d2b5553fa0d70c")  # from a real transponder
    assert remainder(message) == 0
    assert remainder(SQUAWK_1017) == 0x400159
    decoded = rs1090.decode(message.hex())
    assert decoded["icao24"] == "71be34"


whole = st.builds(
    squitter,
    st.integers(0, 2**56 - 1),
    first=st.sampled_from([17 << 3, 18 << 3, 18 << 3 | 2, 18 << 3 | 5, 18 << 3 | 6, 21 << 3]),
)


@given(st.lists(st.one_of(whole, st.binary(max_size=15)), max_size=20), st.booleans())
def test_nothing_crashes_it(messages: list[bytes], at_home: bool) -> None:
    for position in reports(*messages, reference=SPOT if at_home else None):
        assert abs(position.latitude) <= 90
        assert -180 <= position.longitude < 180
