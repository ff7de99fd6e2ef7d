"""Objects, their index and their end, with a clock in the test's hand."""

import random
from math import inf

import hiredis
import pytest

from flight_platform.embedded.geometry import Box
from flight_platform.embedded.live_store import Collection, Expiry, Item, Shapes, comparable, plain


class Store:
    """A collection with the parts that it needs."""

    def __init__(self) -> None:
        self.expiry = Expiry()
        self.shapes = Shapes()
        self.collection = Collection(self.expiry, self.shapes)

    def put(
        self, item_id: bytes, latitude: float = 1.0, longitude: float = 2.0, *, ends_s: float = inf, **fields: bytes
    ) -> Item:
        shape = self.shapes.of(tuple(name.encode() for name in fields))
        values = list(fields.values())
        self.collection.put_point(item_id, latitude, longitude, None, shape, values, ends_s)
        return self.collection.items[item_id]


def read(reply: bytes) -> object:
    reader = hiredis.Reader()
    reader.feed(reply)
    return reader.gets()


def ids(items: list[Item]) -> set[bytes]:
    return {item.id for item in items}


def test_fields_come_sorted_by_name_without_zero_ones() -> None:
    item = Store().put(b"a", gs=b"185.0", alt=b"0", cs=b'"7700"', B=b"1", neg=b"-0")
    assert read(item.fields()) == [b"B", b"1", b"cs", b"7700", b"gs", b"185.0", b"neg", b"-0"]


def test_a_field_that_is_not_named_is_kept_and_a_zero_forgets_it() -> None:
    store = Store()
    store.put(b"a", alt=b"100", gs=b"5")
    item = store.put(b"a", gs=b"6")
    assert read(item.fields()) == [b"alt", b"100", b"gs", b"6"]
    store.put(b"a", alt=b"0")
    assert read(item.fields()) == [b"gs", b"6"]


def test_objects_with_the_same_names_share_their_shape() -> None:
    store = Store()
    assert store.put(b"a", alt=b"1", gs=b"2").shape is store.put(b"b", alt=b"3", gs=b"4").shape


def test_an_answer_is_made_once_for_each_change() -> None:
    store = Store()
    item = store.put(b"a", alt=b"1")
    first = item.reply("POINTS", True)
    assert item.reply("POINTS", True) is first
    assert read(first) == [b"a", [b"1", b"2"], [b"alt", b"1"]]
    store.put(b"a", 3.0, alt=b"1")
    assert read(item.reply("POINTS", True)) == [b"a", [b"3", b"2"], [b"alt", b"1"]]


def test_a_string_leaves_the_map() -> None:
    store = Store()
    store.put(b"a")
    store.collection.put_string(b"a", b"text", store.shapes.empty, [], inf)
    assert store.collection.in_box(Box(-90, -180, 90, 180)) == []
    assert store.collection.items[b"a"].object() == b"$4\r\ntext\r\n"


@pytest.mark.parametrize("seed", range(4))
def test_a_box_holds_what_a_look_at_every_object_finds(seed: int) -> None:
    chance = random.Random(seed)
    store = Store()
    places: dict[bytes, tuple[float, float]] = {}
    for _ in range(500):  # ids repeat: objects move between cells and within them
        item_id = b"%d" % chance.randrange(200)
        places[item_id] = chance.uniform(-90, 90), chance.choice((chance.uniform(-180, 180), 180.0, -180.0, 0.0))
        store.put(item_id, *places[item_id])
        if chance.random() < 0.1:
            del places[item_id]
            assert store.collection.delete(item_id)
    for _ in range(60):
        south, west = chance.uniform(-90, 90), chance.uniform(-180, 180)
        box = Box(south, west, south + chance.uniform(0, 60), west + chance.uniform(0, 90))
        wanted = {
            item_id
            for item_id, (latitude, longitude) in places.items()
            if box.south <= latitude <= box.north and box.west <= longitude <= box.east
        }
        assert ids(store.collection.in_box(box)) == wanted


def test_a_box_turned_round_holds_nothing() -> None:
    store = Store()
    store.put(b"a", 0.0, 180.0)
    assert store.collection.in_box(Box(-90, 179, 90, -179)) == []


def test_the_nearest_come_first_also_across_the_antimeridian() -> None:
    store = Store()
    store.put(b"far", 0.0, 178.0)
    store.put(b"near", 0.0, -179.9)
    store.put(b"north", 80.0, 179.9)
    assert [item.id for _, item in store.collection.nearest(0.0, 179.9, 0.0)] == [b"near", b"far", b"north"]
    assert [item.id for _, item in store.collection.nearest(0.0, 179.9, 50_000)] == [b"near"]


def test_an_object_ends_at_its_deadline() -> None:
    store = Store()
    store.put(b"a", ends_s=10.0)
    store.put(b"forever")
    store.expiry.sweep(9.9)
    assert store.collection.items.keys() == {b"a", b"forever"}
    store.expiry.sweep(10.0)
    assert store.collection.items.keys() == {b"forever"}


def test_a_renewed_object_lives_on_and_one_cut_short_ends_early() -> None:
    store = Store()
    store.put(b"renewed", ends_s=10.0)
    store.put(b"renewed", ends_s=20.0)
    store.put(b"freed", ends_s=10.0)
    store.put(b"freed")
    store.put(b"cut", ends_s=10.0)
    store.put(b"cut", ends_s=5.0)
    store.expiry.sweep(5.0)
    assert store.collection.items.keys() == {b"renewed", b"freed"}
    store.expiry.sweep(15.0)
    assert store.collection.items.keys() == {b"renewed", b"freed"}
    store.expiry.sweep(20.0)
    assert store.collection.items.keys() == {b"freed"}


def test_a_new_object_does_not_end_with_the_old_one_of_its_id() -> None:
    store = Store()
    store.put(b"a", ends_s=10.0)
    store.collection.delete(b"a")
    store.put(b"a", ends_s=20.0)
    store.expiry.sweep(15.0)
    assert b"a" in store.collection.items


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


def test_numbers_are_guessed_and_come_before_strings() -> None:
    assert comparable(b"1e3") == comparable(b"1000.0")
    assert comparable(b'"7700"') != comparable(b"7700")
    assert comparable(b"0021") == comparable(b'"0021"')
    assert comparable(b"BAW") == comparable(b"baw")
    assert comparable(b"99999") < comparable(b"0021") < comparable(b"a")
    assert comparable(b"-5") < comparable(b"0") < comparable(b"0.5")
