"""The bytes of live answers, held to `codec.to_record`."""

import json

from hypothesis import given
from hypothesis import strategies as st

from flight_platform.codec import to_record
from flight_platform.model import Emergency, Kind, Position
from serving.live_answers import rows_of

TENTHS = st.integers(0, 32_000).map(lambda tenths: tenths / 10)
POSITIONS = st.builds(
    Position,
    icao24=st.from_regex(r"~?[0-9a-f]{6}", fullmatch=True),
    time=st.integers(0, 4_000_000_000_000),
    received_at=st.integers(0, 4_000_000_000_000),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda steps: steps / 10_000_000),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda steps: steps / 10_000_000),
    altitude_ft=st.none() | st.integers(-2_000, 126_750),
    geometric_altitude_ft=st.none() | st.integers(-2_500, 135_000),
    on_ground=st.none() | st.booleans(),
    ground_speed_kt=st.none() | TENTHS,
    track_deg=st.none() | TENTHS,
    vertical_rate_fpm=st.none() | st.integers(-32_640, 32_640),
    callsign=st.none() | st.text(max_size=8),
    squawk=st.none() | st.from_regex(r"[0-7]{4}", fullmatch=True),
    emergency=st.none() | st.sampled_from(Emergency),
    kind=st.none() | st.sampled_from(Kind),
    source=st.none() | st.text(max_size=8),
    flight_id=st.none() | st.integers(0, (1 << 57) - 1),
)


@given(st.lists(POSITIONS, max_size=5))
def test_a_row_is_the_record(positions: list[Position]) -> None:
    assert [json.loads(row) for row in rows_of(positions)] == [to_record(position) for position in positions]
