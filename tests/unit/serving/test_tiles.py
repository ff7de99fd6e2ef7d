"""How the map is cut: every flight is in one tile of each zoom, wherever it is."""

import asyncio
import gzip
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.rendered import Rendered, rendered_once
from serving.tiles import flights_of
from tests.unit.serving.skies import flight, snapshot

LATITUDES = st.floats(-90, 90) | st.sampled_from([-90.0, -85.06, 85.06, 90.0, 0.0])
LONGITUDES = st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 0.0])


@given(LATITUDES, LONGITUDES, st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_a_flight_is_in_exactly_one_tile_of_a_zoom(latitude: float, longitude: float, z: int) -> None:
    sky = snapshot(flight(1, latitude, longitude))
    tiles = range(1 << z)
    found = [(x, y) for x in tiles for y in tiles if len(flights_of(sky, z, x, y))]
    assert len(found) == 1
    x, y = found[0]
    if abs(latitude) < 85:  # the formula of the slippy map, by the book
        expected = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * (1 << z)
        assert expected - 1e-6 <= y + 1
        assert y <= expected + 1e-6
    assert x == math.floor((longitude + 180) / 360 * (1 << z)) % (1 << z) or longitude < -179.999999


@pytest.mark.parametrize(
    ("latitude", "longitude", "tile"),
    [
        (47.46, 8.55, (4, 8, 5)),  # Zurich
        (-33.95, 151.18, (4, 14, 9)),  # Sydney
        (89.9, 10.0, (3, 4, 0)),  # nearer to the pole than the map ends
        (-89.9, 10.0, (3, 4, 7)),
        (0.0, 180.0, (3, 0, 4)),  # 180 degrees east is 180 degrees west
    ],
)
def test_known_places(latitude: float, longitude: float, tile: tuple[int, int, int]) -> None:
    assert flights_of(snapshot(flight(1, latitude, longitude)), *tile).tolist() == [0]


def test_a_crowd_that_asks_at_once_is_rendered_for_once() -> None:
    rendered: list[int] = []

    def make() -> bytes:
        rendered.append(1)
        return b"tile" * 1000

    async def run() -> list[Rendered]:
        sky = snapshot(flight(1, 47, 8))
        return await asyncio.gather(*(rendered_once(sky, "tile", make) for _ in range(50)))

    answers = asyncio.run(run())
    assert len(rendered) == 1
    assert all(answer is answers[0] for answer in answers)
    assert answers[0].packed is not None
    assert gzip.decompress(answers[0].packed) == answers[0].plain
