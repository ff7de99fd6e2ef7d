"""The decoder of aircraft.json and its relatives, flavour by flavour."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.errors import UndecodableError
from flight_platform.model import Emergency, Kind, Position
from flight_platform.names import Reason
from streaming.sources.base import Batch
from streaming.sources.readsb_format import decode_answer, decode_record, decode_trace

NOW_S = 1_700_000_000.5
ENTRY: dict[str, Any] = {
    "hex": "3c6444",
    "type": "adsb_icao",
    "flight": "DLH4TR  ",
    "alt_baro": 36025,
    "alt_geom": 36700,
    "gs": 447.26,
    "track": 271.14,
    "baro_rate": -64,
    "squawk": "1000",
    "emergency": "none",
    "lat": 50.123456,
    "lon": 8.654321,
    "seen_pos": 1.25,
    "mlat": [],
    "tisb": [],
    "seen": 0.1,
}


def decode(answer: object) -> Batch:
    """The batch of an answer."""
    return decode_answer(answer, source="home", received_at=5)


def one(**changes: Any) -> Position:
    """The only report of an answer whose only entry has these changes."""
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not ...}
    batch = decode({"now": NOW_S, "aircraft": [entry]})
    assert batch.refused == []
    (position,) = batch.positions
    return position


def test_a_full_entry_becomes_a_report() -> None:
    assert one() == Position(
        icao24="3c6444",
        time=1_699_999_999_250,
        received_at=5,
        latitude=50.123456,
        longitude=8.654321,
        altitude_ft=36025,
        geometric_altitude_ft=36700,
        on_ground=False,
        ground_speed_kt=447.3,
        track_deg=271.1,
        vertical_rate_fpm=-64,
        callsign="DLH4TR",
        squawk="1000",
        emergency=Emergency.NONE,
        kind=Kind.ADSB,
        source="home",
    )


def test_the_original_and_the_clock_of_the_answer_are_kept() -> None:
    batch = decode({"now": NOW_S, "aircraft": [ENTRY]})
    assert batch.originals == [ENTRY]
    assert batch.clock_ms == 1_700_000_000_500


def test_a_v2_answer_has_milliseconds_and_ac() -> None:
    batch = decode({"now": 1_700_000_000_500, "ac": [ENTRY], "total": 1})
    assert batch.clock_ms == 1_700_000_000_500
    assert [p.time for p in batch.positions] == [1_699_999_999_250]


def test_the_old_names_of_dump1090_mean_the_same() -> None:
    old = one(type=..., alt_baro=..., gs=..., baro_rate=..., altitude=12_000, speed=250, vert_rate=1_280, alt_geom=...)
    assert (old.altitude_ft, old.ground_speed_kt, old.vertical_rate_fpm) == (12_000, 250.0, 1_280)
    assert old.on_ground is False
    assert old.kind is Kind.ADSB


def test_ground_is_no_altitude() -> None:
    position = one(alt_baro="ground", gs=0.0)
    assert (position.altitude_ft, position.on_ground, position.ground_speed_kt) == (None, True, 0.0)


def test_an_altitude_written_as_text_is_a_number_and_says_nothing_of_the_ground() -> None:
    position = one(alt_baro="0")
    assert (position.altitude_ft, position.on_ground) == (0, None)


def test_what_is_missing_is_unknown() -> None:
    batch = decode({"now": NOW_S, "aircraft": [{"hex": "3c6444", "lat": 0, "lon": 0, "seen_pos": 0}]})
    assert batch.positions == [
        Position(
            icao24="3c6444",
            time=1_700_000_000_500,
            received_at=5,
            latitude=0.0,
            longitude=0.0,
            source="home",
        )
    ]


def test_a_geometric_rate_stands_in_for_a_barometric_one() -> None:
    assert one(baro_rate=..., geom_rate=640).vertical_rate_fpm == 640
    assert one(baro_rate=0, geom_rate=640).vertical_rate_fpm == 0


def test_a_last_position_has_its_own_time_and_no_altitude_of_now() -> None:
    last = {"lat": 51.0, "lon": 9.0, "nic": 8, "rc": 186, "seen_pos": 63.25}
    position = one(lat=..., lon=..., seen_pos=..., lastPosition=last)
    assert (position.latitude, position.longitude, position.time) == (51.0, 9.0, 1_699_999_937_250)
    assert (position.altitude_ft, position.ground_speed_kt, position.track_deg) == (None, None, None)
    assert position.callsign == "DLH4TR"


def test_an_address_that_is_no_icao_one_keeps_its_mark() -> None:
    assert one(hex="~2A1B3C").icao24 == "~2a1b3c"


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("adsb_icao", Kind.ADSB),
        ("adsb_icao_nt", Kind.ADSB),
        ("adsb_other", Kind.ADSB),
        ("adsr_icao", Kind.ADSR),
        ("adsr_other", Kind.ADSR),
        ("tisb_icao", Kind.TISB),
        ("tisb_other", Kind.TISB),
        ("tisb_trackfile", Kind.TISB),
        ("mlat", Kind.MLAT),
        ("mode_s", Kind.MODE_S),
        ("adsc", Kind.ADSC),
        ("other", Kind.OTHER),
        ("something_new", None),
    ],
)
def test_kinds(stated: str, kind: Kind | None) -> None:
    assert one(type=stated).kind is kind


def test_a_place_listed_as_derived_is_of_that_kind() -> None:
    assert one(type=..., mlat=["lat", "lon", "gs"]).kind is Kind.MLAT
    assert one(type=..., tisb=["lat", "lon"]).kind is Kind.TISB
    assert one(type="adsb_icao", mlat=["gs"]).kind is Kind.ADSB


@pytest.mark.parametrize(
    ("stated", "emergency"),
    [
        ("lifeguard", Emergency.MEDICAL),
        ("minfuel", Emergency.MINIMUM_FUEL),
        ("nordo", Emergency.NO_RADIO),
        ("unlawful", Emergency.UNLAWFUL),
        ("downed", Emergency.DOWNED),
        ("reserved", Emergency.RESERVED),
        ("general", Emergency.GENERAL),
        ("not one", None),
    ],
)
def test_emergencies(stated: str, emergency: Emergency | None) -> None:
    assert one(emergency=stated).emergency is emergency


def test_squawks_have_four_digits_or_are_unknown() -> None:
    assert one(squawk="0021").squawk == "0021"
    assert one(squawk=21).squawk == "0021"
    assert one(squawk="  ").squawk is None


def test_a_track_that_rounds_to_360_is_north() -> None:
    assert one(track=359.97).track_deg == 0.0


@pytest.mark.parametrize("missing", ["lat", "lon"])
def test_an_entry_without_a_position_is_left_out(missing: str) -> None:
    batch = decode({"now": NOW_S, "aircraft": [{k: v for k, v in ENTRY.items() if k != missing}]})
    assert (batch.positions, batch.refused) == ([], [])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lat": "abc"}, "lat"),
        ({"lon": True}, "lon"),
        ({"lon": []}, "lon"),
        ({"alt_baro": "grund"}, "alt_baro"),
        ({"alt_geom": "12"}, "alt_geom"),
        ({"gs": {}}, "gs"),
        ({"hex": 3}, "hex"),
        ({"hex": None}, "hex"),
        ({"flight": 12}, "flight"),
        ({"seen_pos": "1"}, "seen_pos"),
        ({"seen_pos": -1e300}, "seen_pos"),
        ({"seen_pos": float("inf")}, "seen_pos"),
        ({"alt_geom": float("nan")}, "alt_geom"),
    ],
)
def test_one_broken_entry_is_refused_and_the_others_are_not(changes: dict[str, Any], named: str) -> None:
    batch = decode({"now": NOW_S, "aircraft": [ENTRY, ENTRY | changes, 7, ENTRY]})
    assert len(batch.positions) == len(batch.originals) == 2
    broken, no_object = batch.refused
    assert broken.reason is Reason.UNDECODABLE
    assert named in broken.detail
    assert b"3c6444" in broken.original or named == "hex"
    assert no_object.original == b"7"


def test_a_value_out_of_range_is_not_judged_here() -> None:
    assert one(lat=91.5).latitude == 91.5


@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_tells_the_time(empty: object) -> None:
    batch = decode({"now": NOW_S, "aircraft": empty})
    assert (batch.positions, batch.refused, batch.clock_ms) == ([], [], 1_700_000_000_500)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        {},
        {"aircraft": []},
        {"now": NOW_S},
        {"now": "soon", "aircraft": []},
        {"now": 1, "aircraft": 5},
        {"now": 1e300, "aircraft": []},
    ],
)
def test_what_is_no_answer_raises(answer: object) -> None:
    with pytest.raises(UndecodableError):
        decode(answer)


def test_a_record_has_its_own_time() -> None:
    record = {"now": 1_748_719_389, "hex": "a7f426", "lat": 36.3, "lon": -121.4, "gscp": 90, "track": None}
    batch = decode_record(record, source="s", received_at=5)
    (position,) = batch.positions
    assert (position.time, position.ground_speed_kt, position.track_deg) == (1_748_719_389_000, 90.0, None)


@pytest.mark.parametrize("record", [{"hex": "a7f426"}, {"hex": "a7f426", "now": "x"}, 7])
def test_a_record_without_a_time_is_refused(record: object) -> None:
    batch = decode_record(record, source="s", received_at=5)
    assert (len(batch.refused), batch.positions) == (1, [])


def test_a_trace_keeps_callsigns_until_the_next_and_reads_its_flags() -> None:
    rows = [
        [0.0, 50.0, 8.0, 30000, 400.0, 90.0, 0, 64, {"flight": "DLH4TR  ", "squawk": "1000"}, "adsb_icao", 30500],
        [10.5, 50.0, 8.1, 31000, None, None, 8 | 4, -64, None, "mlat", None],
        [20.0, 50.0, 8.2, "ground", 10.0, 90.0, 0, None, None, "adsb_icao", None],
        [30.0, None, None, None, None, None, 0, None, None],
        ["x"],
    ]
    (batch,) = decode_trace({"icao": "3c6444", "timestamp": 1_000.0, "trace": rows}, source="s", received_at=5)
    first, second, third = batch.positions
    assert (first.time, first.altitude_ft, first.geometric_altitude_ft) == (1_000_000, 30000, 30500)
    assert (second.time, second.altitude_ft, second.geometric_altitude_ft) == (1_010_500, None, 31000)
    assert (second.callsign, second.squawk, second.kind, second.vertical_rate_fpm) == ("DLH4TR", "1000", Kind.MLAT, -64)
    assert (third.on_ground, third.altitude_ft) == (True, None)
    assert len(batch.refused) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4),
    max_leaves=8,
)
entries = st.dictionaries(st.sampled_from([*ENTRY, "lastPosition"]), json_values)


@given(st.lists(entries | st.builds(lambda more: ENTRY | more, entries) | json_values, max_size=5), json_values)
def test_no_json_breaks_the_decoder(aircraft: list[Any], now: Any) -> None:
    batch = decode({"now": NOW_S, "aircraft": aircraft})
    assert len(batch.positions) == len(batch.originals)
    assert len(batch.positions) + len(batch.refused) <= len(aircraft)
    decode_record({"now": now, **ENTRY}, source="s", received_at=5)
    with suppress(UndecodableError):
        decode({"now": now, "aircraft": now})
