"""Objects, where they lie and how they are written; the numbers were read off a Tile38 1.37.0."""

import random
from math import inf

import hiredis
import pytest

from flight_platform.embedded.live_store import (
    Collection,
    Item,
    circle_box,
    comparable,
    distance_m,
    in_box,
    in_circle,
    nearest,
    number_text,
    plain,
    tile_box,
)

WORLD = (-90.0, -180.0, 90.0, 180.0)


def point(item_id: bytes, latitude: float = 1.0, longitude: float = 2.0, **fields: bytes) -> Item:
    names = [name.encode() for name in fields]
    return Item(item_id, latitude, longitude, None, None, names, list(fields.values()), inf)


def collection(*items: Item) -> Collection:
    return {item.id: item for item in items}


def read(reply: bytes) -> object:
    reader = hiredis.Reader()
    reader.feed(reply)
    return reader.gets()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (10.5, "10.5"),
        (-0.0, "-0"),
        (1e-7, "0.0000001"),
        (1e22, "1" + "0" * 22),
        (1700413788.453, "1700413788.453"),
    ],
)
def test_a_number_is_written_short_and_without_an_exponent(value: float, text: str) -> None:
    assert number_text(value) == text


def test_fields_come_sorted_by_name_without_zero_ones() -> None:
    item = point(b"a", gs=b"185.0", alt=b"0", cs=b'"7700"', B=b"1", neg=b"-0")
    assert read(item.shown_fields()) == [b"B", b"1", b"cs", b"7700", b"gs", b"185.0", b"neg", b"-0"]


def test_blanks_around_a_value_are_gone() -> None:
    item = point(b"a", alt=b"  35000", cs=b'"BAW1 " ', none=b"     0", text=b" BAW 1 ")
    assert read(item.shown_fields()) == [b"alt", b"35000", b"cs", b"BAW1 ", b"text", b"BAW 1"]
    assert item.value(b"alt") == comparable(b"35000")


def test_the_parts_of_an_answer() -> None:
    item = point(b"a", alt=b"1")
    geojson = b'{"type":"Point","coordinates":[2,1]}'
    assert read(item.reply(b"POINTS", True, None)) == [b"a", [b"1", b"2"], [b"alt", b"1"]]
    assert read(item.reply(b"OBJECTS", False, None)) == [b"a", geojson]
    assert read(item.reply(b"IDS", True, None)) == b"a"
    assert read(item.reply(b"IDS", True, 7.5)) == [b"a", b"7.5"]
    assert read(item.reply(b"POINTS", True, 7.5)) == [b"a", [b"1", b"2"], [b"alt", b"1"], b"7.5"]


def test_a_text_is_on_no_map() -> None:
    texts = collection(Item(b"a", 0.0, 0.0, None, b"text", [], [], inf))
    assert in_box(texts, WORLD) == in_circle(texts, 0.0, 0.0, 1e6) == nearest(texts, 0.0, 0.0, inf) == []
    assert texts[b"a"].body(b"OBJECT") == b"$4\r\ntext\r\n"


@pytest.mark.parametrize(
    ("written", "read_back"),
    [
        (b"185.0", b"185.0"),
        (b'"0123"', b"0123"),
        (b'""', b""),
        (b"", b""),
        (b"inf", b"+Inf"),
        (b"123E45", b"123E45"),
        (b'"open', b'"open'),
    ],
)
def test_a_value_is_read_back_as_tile38_does(written: bytes, read_back: bytes) -> None:
    assert plain(written) == read_back


def test_numbers_are_guessed_and_come_before_texts() -> None:
    assert comparable(b"1e3") == comparable(b"1000.0")
    assert comparable(b'"7700"') != comparable(b"7700")
    assert comparable(b"0021") == comparable(b'"0021"')
    assert comparable(b"BAW") == comparable(b"baw")
    assert comparable(b"99999") < comparable(b"0021") < comparable(b"a")
    assert comparable(b"-5") < comparable(b"0") < comparable(b"0.5")


def test_a_box_holds_its_edges_and_turned_round_it_holds_nothing() -> None:
    edges = collection(point(b"a", 90.0, 180.0), point(b"b", -90.0, -180.0), point(b"c", 0.0, 179.0))
    assert [item.id for item in in_box(edges, WORLD)] == [b"a", b"b", b"c"]
    assert [item.id for item in in_box(edges, (-1, 178, 1, 179))] == [b"c"]
    assert in_box(edges, (-90, 179, 90, -179)) == []


def test_the_nearest_come_first_also_across_the_antimeridian() -> None:
    points = collection(point(b"far", 0.0, 178.0), point(b"near", 0.0, -179.9), point(b"north", 80.0, 179.9))
    assert [item.id for item in nearest(points, 0.0, 179.9, inf)] == [b"near", b"far", b"north"]
    assert [item.id for item in nearest(points, 0.0, 179.9, 50_000)] == [b"near"]


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_are_those_that_a_measurement_of_all_finds(seed: int) -> None:
    chance = random.Random(seed)
    points = collection(*(point(b"%d" % n, chance.uniform(-90, 90), chance.uniform(-180, 180)) for n in range(300)))
    for radius_m in (1e5, 1e6, 1e7):
        latitude, longitude = chance.choice((90.0, chance.uniform(-90, 90))), chance.uniform(-180, 180)
        near = {item.id for item in points.values() if distance_m(latitude, longitude, item) <= radius_m}
        assert {item.id for item in nearest(points, latitude, longitude, radius_m)} == near


def test_distance_is_that_of_tile38() -> None:
    assert distance_m(1, 3, point(b"a", 1, 2)) == pytest.approx(111177.99068882647, rel=1e-12)
    assert distance_m(10, 20, point(b"a", 11, 21)) == pytest.approx(155941.21480117156, rel=1e-12)


def test_distance_does_not_mind_the_antimeridian() -> None:
    across = distance_m(0, 179.9, point(b"a", 0, -179.9))
    assert across == pytest.approx(distance_m(0, 0, point(b"a", 0, 0.2)))


def test_the_world_is_one_tile() -> None:
    south, west, north, east = tile_box(0, 0, 0)
    assert (west, east) == (-180, 180)
    assert (south, north) == pytest.approx((-85.05112878, 85.05112878))


def test_tiles_share_their_edges() -> None:
    here, right, below = tile_box(32, 22, 6), tile_box(33, 22, 6), tile_box(32, 23, 6)
    assert (here[3], here[0]) == (right[1], below[2])


def test_a_tile_beyond_the_map_holds_nothing() -> None:
    south, west, north, east = tile_box(5, 5, 0)
    assert south > north or west >= east


def test_a_circles_box_touches_the_circle() -> None:
    _, west, north, east = circle_box(48.0, 2.0, 100_000)
    assert distance_m(48.0, 2.0, point(b"a", north, 2.0)) == pytest.approx(100_000)
    assert east - 2.0 == pytest.approx(2.0 - west)
