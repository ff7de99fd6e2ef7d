"""The words of a search and what they let pass."""

from math import inf

import pytest

from flight_platform.embedded.live_query import CommandError, Query, Words, glob, parse_query
from flight_platform.embedded.live_store import Item


def items(*altitudes: bytes) -> list[Item]:
    return [
        Item(b"%d" % number, 0.0, 0.0, None, None, [b"alt"], [altitude], inf)
        for number, altitude in enumerate(altitudes)
    ]


def parse(text: str) -> tuple[Query, Words]:
    words = Words([b"SCAN", *text.encode().split()])
    return parse_query(words), words


def select(text: str, candidates: list[Item]) -> tuple[int, list[str]]:
    cursor, found = parse(text)[0].select(candidates)
    return cursor, [item.id.decode() for item in found]


def test_options_end_where_the_area_begins() -> None:
    query, words = parse("limit 5 CURSOR 2 NOFIELDS IDS BOUNDS 1 2 3 4")
    assert (query.limit, query.cursor, query.with_fields, query.output) == (5, 2, False, b"IDS")
    assert words.peek() == b"BOUNDS"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("LIMIT 2", (2, ["0", "1"])),
        ("LIMIT 4", (4, ["0", "1", "2", "3"])),  # Tile38 does not look whether more would follow
        ("LIMIT 5", (0, ["0", "1", "2", "3"])),
        ("CURSOR 3 LIMIT 5", (0, ["3"])),
        ("CURSOR 100", (0, [])),
        ("WHERE alt 1000 2000", (0, ["1", "2"])),
        ("WHERE alt -inf +inf", (0, ["0", "1", "2"])),  # a string is above all numbers
        ("WHERE gs 0 0", (0, ["0", "1", "2", "3"])),  # a missing field is 0
        ("WHERE alt 1 +inf LIMIT 1", (2, ["1"])),  # the cursor counts what was looked at
        ("CURSOR 2 WHERE alt 1 +inf LIMIT 1", (3, ["2"])),
        ("WHEREIN alt 2 1e3 0021", (0, ["1", "3"])),
        ("WHEREIN alt 0", (0, [])),
        ("MATCH [12]", (0, ["1", "2"])),
        ("MATCH 0 MATCH 3", (0, ["0", "3"])),
    ],
)
def test_what_passes(text: str, answer: tuple[int, list[str]]) -> None:
    assert select(text, items(b"0", b"1000", b"2000", b"0021")) == answer


def test_a_hundred_is_the_limit_unless_they_are_counted() -> None:
    many = items(*[b"1"] * 150)
    assert select("IDS", many)[0] == 100
    assert len(select("COUNT", many)[1]) == 150


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("LIMIT 0", "invalid argument '0'"),
        ("LIMIT x", "invalid argument 'x'"),
        ("LIMIT", "wrong number of arguments for 'scan' command"),
        ("CURSOR -1", "invalid argument '-1'"),
        ("WHERE alt low 5", "invalid argument 'low'"),
        ("WHERE alt 5", "wrong number of arguments for 'scan' command"),
        ("WHEREIN alt 3 x", "wrong number of arguments for 'scan' command"),
        ("WHERE alt (5 7", "tile38-server"),
        ("WHERE alt>3000&&gs<200 BOUNDS 1 2 3 4", "tile38-server"),
    ],
)
def test_what_is_wrong_is_said_as_tile38_says_it(text: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("word", ["nan", "inf", "1_0", "north", ""])
def test_a_place_is_a_finite_number(word: str) -> None:
    with pytest.raises(CommandError, match="invalid argument"):
        Words([b"SCAN", word.encode()]).number()


def test_a_glob_knows_sets_and_their_opposite() -> None:
    assert glob(b"3c[0-9]*").match("3c6444")
    assert not glob(b"[^3]*").match("3c6444")
    assert not glob(b"3c").match("3c6444")
