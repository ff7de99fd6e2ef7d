"""Boxes and times as texts."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.parameters import Box, parse_box, parse_moment

DEGREES = st.floats(-180, 180)
LATITUDES = st.floats(-90, 90)


@given(DEGREES, LATITUDES, DEGREES, LATITUDES)
def test_a_box_is_read_as_it_is_written(west: float, a: float, east: float, b: float) -> None:
    south, north = sorted((a, b))
    assert parse_box(f"{west!r},{south!r},{east!r},{north!r}") == Box(west, south, east, north)


@given(st.text(max_size=40))
def test_any_text_is_a_box_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        box = parse_box(text)
        assert -90 <= box.south <= box.north <= 90


@given(st.one_of(st.text(max_size=30), st.floats().map(repr), st.integers().map(str)))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_moment(text).tzinfo is UTC


def test_swapped_latitude_and_longitude_are_explained() -> None:
    with pytest.raises(ValueError, match=r"south is 170.*west,south,east,north"):
        parse_box("-40,170,-30,175")


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_moment("2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)
