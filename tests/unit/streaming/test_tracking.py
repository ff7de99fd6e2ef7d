"""The tracker's judgement: named cases, then properties over any run of reports."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.model import NON_ICAO_BIT, format_flight_id
from streaming.tracker_state import Arrival, pack, unpack
from streaming.tracking import HOLD_MS, RUN_LENGTH, Aircraft, Outcome, Report, Verdict, distance_m

ADDRESS = 0x3C6444
START_S = 1_700_000_000
MINUTE_S = 60
HOUR_S = 3600
KNOT_M_S = 0.514444
PARIS = (49.0, 2.5)


def report(second: float, place: tuple[float, float] = PARIS, **known: object) -> Report:
    return Report(round((START_S + second) * 1000), *place, **known)  # type: ignore[arg-type]


def leg(
    start_s: float,
    seconds: float,
    *,
    origin: tuple[float, float] = PARIS,
    east_kt: float = 400.0,
    step_s: float = 10,
    altitude_ft: int = 35_000,
    **known: object,
) -> list[Report]:
    """Reports of an aircraft that flies east at one speed."""
    metre_deg = math.degrees(1 / 6_371_008.8) / math.cos(math.radians(origin[0]))
    count = int(seconds // step_s) + 1
    return [
        report(
            start_s + i * step_s,
            (origin[0], origin[1] + east_kt * KNOT_M_S * i * step_s * metre_deg),
            altitude_ft=altitude_ft,
            ground_speed_kt=east_kt,
            **known,
        )
        for i in range(count)
    ]


def judge(reports: list[Report], aircraft: Aircraft | None = None) -> list[Verdict]:
    aircraft = aircraft or Aircraft(ADDRESS)
    return [verdict for r in reports for verdict in aircraft.judge(r)]


def flights(verdicts: list[Verdict]) -> list[int]:
    """The flight ids in the order in which they first appear."""
    return list(dict.fromkeys(v.flight_id for v in verdicts if v.outcome is Outcome.PASSED))


def place_of(r: Report) -> tuple[float, float]:
    return r.latitude, r.longitude


def test_flight_id_is_address_and_first_second() -> None:
    verdict = judge([report(0.25)])[0]
    assert format_flight_id(verdict.flight_id) == f"3c6444-{START_S:08x}"


def test_non_icao_address_is_told_apart() -> None:
    verdict = Aircraft(ADDRESS | NON_ICAO_BIT).judge(report(0))[0]
    assert format_flight_id(verdict.flight_id).startswith("~3c6444-")


def test_one_flight_at_cruise() -> None:
    verdicts = judge(leg(0, HOUR_S))
    assert len(flights(verdicts)) == 1
    assert {v.outcome for v in verdicts} == {Outcome.PASSED}


def test_same_time_and_place_is_a_repeat() -> None:
    assert [v.outcome for v in judge([report(0), report(0)])] == [Outcome.PASSED, Outcome.REPEAT]


def test_same_place_later_is_no_repeat() -> None:
    assert [v.outcome for v in judge([report(0), report(1)])] == [Outcome.PASSED, Outcome.PASSED]


@pytest.mark.parametrize(("early_s", "same"), [(4.9, True), (5.1, False)])
def test_late_to_its_own_birth(early_s: float, same: bool) -> None:
    assert (len(flights(judge([report(0), report(1), report(-early_s)]))) == 1) is same


def test_out_of_order_report_is_passed_with_its_flight() -> None:
    run = leg(0, 600)
    verdicts = judge([*run[:20], *run[30:], *run[20:30]])
    assert len(flights(verdicts)) == 1
    assert all(v.outcome is Outcome.PASSED for v in verdicts)


def test_touch_and_go_is_one_flight() -> None:
    low = {"altitude_ft": 400, "east_kt": 120}
    verdicts = judge(
        [
            *leg(0, 300, on_ground=False, **low),  # type: ignore[arg-type]
            *[report(310 + i, (49.0, 2.53), on_ground=True, ground_speed_kt=80.0) for i in range(20)],
            *leg(335, 300, origin=(49.0, 2.54), on_ground=False, **low),
        ]
    )
    assert len(flights(verdicts)) == 1


def test_two_legs_an_hour_apart_are_two_flights() -> None:
    first = leg(0, 1200, altitude_ft=2_000, east_kt=180, on_ground=False)
    end = place_of(first[-1])
    second = leg(1200 + HOUR_S, 1200, origin=end, altitude_ft=1_500, east_kt=180, on_ground=False)
    assert len(flights(judge(first + second))) == 2


def test_turnaround_with_the_transponder_on_ends_with_the_new_callsign() -> None:
    landing = leg(0, 300, altitude_ft=1_000, east_kt=140, on_ground=False, callsign="BAW1")
    gate = place_of(landing[-1])
    parked = [report(310 + i * 30, gate, on_ground=True, callsign="BAW1") for i in range(60)]
    taxi = [report(2120 + i * 10, gate, on_ground=True, callsign="BAW2") for i in range(20)]
    away = leg(2330, 300, origin=gate, altitude_ft=1_000, east_kt=160, on_ground=False, callsign="BAW2")
    verdicts = judge([*landing, *parked, *taxi, *away])
    by_name = {v.report.callsign: v.flight_id for v in verdicts}
    assert len(flights(verdicts)) == 2
    assert by_name["BAW1"] != by_name["BAW2"]


def test_taxi_out_belongs_to_the_flight_that_follows() -> None:
    taxi = [report(i * 5, PARIS, on_ground=True, ground_speed_kt=12.0) for i in range(200)]
    assert len(flights(judge([*taxi, *leg(1005, 600, altitude_ft=3_000, east_kt=180, on_ground=False)]))) == 1


def test_slip_of_a_transponder_at_its_stand_is_no_flight() -> None:
    stand = [report(i * 5, PARIS, on_ground=i not in (15, 20)) for i in range(200)]
    assert len(flights(judge([*stand, *leg(1005, 600, altitude_ft=3_000, east_kt=180, on_ground=False)]))) == 1


def test_hole_over_the_ocean_is_one_flight() -> None:
    before = leg(0, HOUR_S)
    way = leg(0, HOUR_S + 3.5 * HOUR_S)  # the same flight seen all along
    after = leg(HOUR_S * 4.5 + 10, HOUR_S, origin=place_of(way[-1]))
    assert len(flights(judge(before + after))) == 1


def test_long_silence_at_one_place_is_two_flights() -> None:
    before = leg(0, HOUR_S)
    after = leg(4.5 * HOUR_S, HOUR_S, origin=place_of(before[-1]))
    assert len(flights(judge(before + after))) == 2


def test_36_hours_are_the_limit() -> None:
    circling = [report(i * 300, PARIS, altitude_ft=60_000, on_ground=False) for i in range(40 * 12)]
    assert len(flights(judge(circling))) == 2


def test_callsign_that_changes_in_flight_is_one_flight() -> None:
    run = leg(0, 600, callsign="AFR1", on_ground=False)
    rest = leg(610, 600, origin=place_of(run[-1]), callsign="AFR1A", on_ground=False)
    assert len(flights(judge(run + rest))) == 1


def test_lone_jump_is_refused_when_the_aircraft_goes_on() -> None:
    run = leg(0, 600)
    verdicts = judge([*run[:10], report(95, (10.0, 100.0)), *run[10:]])
    refused = [v for v in verdicts if v.outcome is Outcome.REFUSED]
    assert [place_of(v.report) for v in refused] == [(10.0, 100.0)]
    assert "km in" in refused[0].detail
    assert len(flights(verdicts)) == 1


def test_lone_jump_is_held_until_then() -> None:
    aircraft = Aircraft(ADDRESS)
    run = leg(0, 600)
    verdicts = judge([*run[:10], report(95, (10.0, 100.0)), *run[10:15]], aircraft)
    assert len(aircraft.held) == 1
    assert all(v.outcome is Outcome.PASSED for v in verdicts)
    assert [v.outcome for v in aircraft.refuse_held("the end")] == [Outcome.REFUSED]


def test_consistent_run_wins_over_a_wrong_first_position() -> None:
    verdicts = judge([report(0, (0.1, 0.1)), *leg(10, 300)])
    assert all(v.outcome is Outcome.PASSED for v in verdicts)
    assert len(flights(verdicts)) == 1


def test_gnss_spoofing_keeps_the_flight() -> None:
    """The positions jump 200 km away for five minutes and back: one aircraft, one flight, nothing locked out."""
    real = leg(0, 1800)
    spoofed = [r._replace(latitude=r.latitude + 1.8) if 600 < (r.time / 1000 - START_S) < 900 else r for r in real]
    verdicts = judge(spoofed)
    assert len(flights(verdicts)) == 1
    assert sum(v.outcome is Outcome.PASSED for v in verdicts) == len(real)


def test_two_aircraft_with_one_address_are_two_flights() -> None:
    here, there = leg(0, 600), leg(5, 600, origin=(-33.0, 151.0))
    both = sorted(here + there, key=lambda r: r.time)
    verdicts = judge(both)
    assert len(flights(verdicts)) == 2
    owners: dict[int, set[bool]] = {}
    for v in verdicts:
        owners.setdefault(v.flight_id, set()).add(v.report.latitude > 0)
    assert all(len(sides) == 1 for sides in owners.values())
    assert sum(v.outcome is Outcome.PASSED for v in verdicts) == len(both)


def test_reused_address_far_away_is_another_flight() -> None:
    verdicts = judge([*leg(0, 600), *leg(660, 600, origin=(-33.0, 151.0))])
    assert len(flights(verdicts)) == 2
    assert all(v.outcome is Outcome.PASSED for v in verdicts)


def test_backfill_of_yesterday_leaves_the_present_alone() -> None:
    present = leg(0, 600, altitude_ft=2_000, east_kt=180)
    past = leg(-86_000, 600, altitude_ft=2_000, east_kt=180)
    verdicts = judge([*present[:30], *past, *present[30:]])
    assert len(flights(verdicts)) == 2


@pytest.mark.parametrize(
    ("a", "b", "expected_m"),
    [((0, 0), (0, 1), 111_195), ((90, 0), (-90, 0), 20_015_087), ((0, 179.5), (0, -179.5), 111_195)],
)
def test_distance(a: tuple[float, float], b: tuple[float, float], expected_m: float) -> None:
    assert distance_m(*a, *b) == pytest.approx(expected_m, rel=1e-4)


# --- properties -------------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 10, 60, 700, 3 * HOUR_S, -3, -400]),  # seconds to the next report
        st.sampled_from([0.0, 0.0, 0.01, 0.02, -0.01, 5.0]),  # degrees north to it
        st.sampled_from([None, 0, 2_000, 36_000]),
        st.sampled_from([None, False, False, True]),
        st.sampled_from([None, "AFR1", "AFR2"]),
    ),
    max_size=60,
)


def walk(moves: list[tuple[int, float, int | None, bool | None, str | None]]) -> list[Report]:
    second, latitude, run = 0, 0.0, []
    for number, (seconds, degrees, altitude_ft, on_ground, callsign) in enumerate(moves):
        second += seconds
        latitude = min(89.0, latitude + degrees)
        arrival = Arrival(b"", number, number)
        run.append(
            report(
                second,
                (latitude, 0.0),
                altitude_ft=altitude_ft,
                on_ground=on_ground,
                callsign=callsign,
                payload=arrival,
            )
        )
    return run


@given(steps)
@settings(max_examples=200, deadline=None)
def test_every_report_is_judged_exactly_once(
    moves: list[tuple[int, float, int | None, bool | None, str | None]],
) -> None:
    aircraft = Aircraft(ADDRESS)
    run = walk(moves)
    verdicts = judge(run, aircraft) + aircraft.refuse_held("the end")
    assert sorted(v.report.payload.offset for v in verdicts) == list(range(len(run)))
    assert all((v.outcome is Outcome.PASSED) == (v.flight_id > 0) for v in verdicts)


@given(steps)
@settings(max_examples=200, deadline=None)
def test_a_flight_never_spans_more_than_36_hours_or_starts_before_its_id(
    moves: list[tuple[int, float, int | None, bool | None, str | None]],
) -> None:
    for v in judge(walk(moves)):
        if v.outcome is Outcome.PASSED:
            since_birth_s = v.report.time / 1000 - (v.flight_id & 0xFFFFFFFF)
            assert -5 <= since_birth_s <= 36 * HOUR_S + 1


@given(steps, st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_a_takeover_changes_no_verdict(
    moves: list[tuple[int, float, int | None, bool | None, str | None]], cut: int
) -> None:
    """State packed at any point, and the reports since judged again, lead to the same verdicts afterwards."""
    run = walk(moves)
    cut = min(cut, len(run))
    undisturbed = Aircraft(ADDRESS)
    judge(run[:cut], undisturbed)
    packed = pack(undisturbed, cut)
    expected = judge(run[cut:], undisturbed)
    taken_over, next_offset = unpack(ADDRESS, packed, partition=0)
    taken_over.held = list(undisturbed_held(run, cut))
    assert next_offset == cut
    seen = {r[:3] for r in run[:cut]}
    fresh = [r for r in run[cut:] if r[:3] not in seen]
    if len(fresh) == len(run) - cut:  # repeats of what lies before the state are history's to drop
        assert judge(run[cut:], taken_over) == expected


def undisturbed_held(run: list[Report], cut: int) -> list[Report]:
    aircraft = Aircraft(ADDRESS)
    judge(run[:cut], aircraft)
    return aircraft.held


@given(steps, st.sampled_from([None, 30.0, 400.0]))
@settings(max_examples=200, deadline=None)
def test_following_says_what_judging_says(
    moves: list[tuple[int, float, int | None, bool | None, str | None]], speed_kt: float | None
) -> None:
    judged, followed = Aircraft(ADDRESS), Aircraft(ADDRESS)
    for r in walk(moves):
        r = r._replace(ground_speed_kt=speed_kt)
        expected = judged.judge(r)
        flight_id = followed.follow(*r[:7])
        assert ([Verdict(Outcome.PASSED, r, flight_id)] if flight_id else followed.judge(r)) == expected
        assert pack(followed, 0) == pack(judged, 0)


def test_an_aircraft_at_cruise_is_followed() -> None:
    aircraft = Aircraft(ADDRESS)
    run = leg(0, 600, on_ground=False)
    verdict = aircraft.judge(run[0])[0]
    aircraft.judge(run[1])
    assert {aircraft.follow(*r[:7]) for r in run[2:]} == {verdict.flight_id}


@given(st.lists(st.integers(1, 20), min_size=RUN_LENGTH, max_size=10), st.floats(1.0, 80.0))
@settings(max_examples=100, deadline=None)
def test_no_aircraft_is_ever_locked_out(gaps_s: list[int], jump_deg: float) -> None:
    """Wherever it turns up, a run of reports that agree with each other is passed."""
    run, second = [report(0, (0.0, 0.0)), report(1, (0.0, 0.0)), report(2, (0.0, 0.0))], 2
    for gap_s in gaps_s:
        second += gap_s
        run.append(report(second, (jump_deg, 0.0)))
    assert judge(run)[-1].outcome is Outcome.PASSED
    assert second * 1000 < HOLD_MS * len(gaps_s)
