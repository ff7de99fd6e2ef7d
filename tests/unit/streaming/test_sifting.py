"""What can be taken of a source's reports: the look at whole columns misses nothing of what is refused."""

import math
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.model import Position
from streaming.sifting import Limits, refusal, suspects

NOW_MS = 1_700_000_000_000
LIMITS = Limits(lateness_s=86_400, future_s=30)
GOOD = Position(
    icao24="3c6444",
    time=NOW_MS - 1000,
    received_at=NOW_MS,
    latitude=49.0,
    longitude=2.5,
    altitude_ft=35_000,
    squawk="1000",
)

odd: dict[str, st.SearchStrategy[Any]] = {
    "icao24": st.sampled_from(["~3c6444", "3c644", "3C6444", "3c6444\n", "3c64448", "\ud800", ""]),
    "squawk": st.sampled_from([None, "7700", "0800", "7700\n", "77000", "\u0667700"]),
    "time": st.sampled_from([NOW_MS - 86_400_000, NOW_MS - 86_400_001, NOW_MS + 30_000, NOW_MS + 30_001, 0]),
    "latitude": st.sampled_from([90.0, 90.0000001, -90.0, math.nan, math.inf]),
    "longitude": st.sampled_from([180.0, -180.0000001, math.nan]),
    "altitude_ft": st.sampled_from([None, 0, 126_750, 126_751, -2_001, 1 << 70]),
    "geometric_altitude_ft": st.sampled_from([None, 135_001]),
    "ground_speed_kt": st.sampled_from([None, 0.0, -0.1, 3_200.1, math.nan]),
    "track_deg": st.sampled_from([None, 360.0, 360.1]),
    "vertical_rate_fpm": st.sampled_from([None, 32_641]),
}
reports = st.lists(
    st.sampled_from(sorted(odd)).flatmap(lambda name: odd[name].map(lambda value: replace(GOOD, **{name: value}))),
    max_size=6,
)


@given(reports, st.sampled_from([LIMITS, Limits(lateness_s=None, future_s=30)]))
@settings(deadline=None)
def test_whatever_is_refused_is_suspect(positions: list[Position], limits: Limits) -> None:
    refused = {index for index, position in enumerate(positions) if refusal(position, NOW_MS, limits) is not None}
    assert refused <= set(suspects(positions, NOW_MS, limits))


def test_what_is_beyond_doubt_is_not() -> None:
    unknown = replace(GOOD, altitude_ft=None, squawk=None)
    on_the_edge = replace(GOOD, icao24="~3c6444", latitude=90.0, longitude=-180.0, time=NOW_MS - 86_400_000)
    wrong = replace(GOOD, latitude=91.0)
    assert list(suspects([GOOD, unknown, wrong, on_the_edge], NOW_MS, LIMITS)) == [2]
