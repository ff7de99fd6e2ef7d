"""The grammar of the live server's commands: their words, a search's options and area, what passes them.

    SCAN|WITHIN|INTERSECTS|NEARBY key [CURSOR n][LIMIT n][MATCH glob]... [WHERE f min max]...
        [WHEREIN f n v...]... [NOFIELDS][DISTANCE] [COUNT|IDS|OBJECTS|POINTS] area

What does not belong here: what objects are (`live_store.py`) and what a command does (`live_server.py`).
"""

import fnmatch
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan

from flight_platform.embedded.live_store import Collection, Item, comparable, in_box, in_circle, tile_box

HINT = "the embedded live server speaks only a part of Tile38's protocol, run tile38-server for the rest"
DEFAULT_LIMIT = 100  # Tile38's own
UNLIMITED = 1 << 62
MAX_NUMBER = sys.float_info.max  # what is beyond is infinite
MAX_ZOOM = 38  # the deepest tile that Tile38 takes
RESERVED_NAMES = frozenset((b"z", b"lat", b"lon"))  # no names for fields
OPTIONS = frozenset((b"CURSOR", b"DISTANCE", b"LIMIT", b"MATCH", b"NOFIELDS", b"WHERE", b"WHEREIN"))
OUTPUTS = frozenset((b"COUNT", b"IDS", b"OBJECTS", b"POINTS"))
Test = Callable[[Item], bool]


class CommandError(Exception):
    """A command that cannot be done; the message is Tile38's, without the `ERR`."""


def invalid(word: bytes) -> CommandError:
    """The error for a value that does not fit."""
    return CommandError(f"invalid argument '{word.decode(errors='replace')}'")


def unknown(word: bytes) -> CommandError:
    """The error for a word that may be one of Tile38's: nobody shall search for a typing error."""
    return CommandError(f"{invalid(word)}: {HINT}")


class Words:
    """The words of a command behind its name, taken one after the other."""

    __slots__ = ("position", "words")

    def __init__(self, words: list[bytes]) -> None:
        self.words = words
        self.position = 1

    def take(self) -> bytes:
        """The next word."""
        try:
            word = self.words[self.position]
        except IndexError:
            raise self.wrong_number() from None
        self.position += 1
        return word

    def more(self) -> bool:
        """Whether there are words left."""
        return self.position < len(self.words)

    def peek(self) -> bytes:
        """The next word in capitals, empty at the end."""
        return self.words[self.position].upper() if self.more() else b""

    def end(self) -> None:
        """No more words may follow."""
        if self.more():
            raise self.wrong_number()

    def number(self, least: float = -MAX_NUMBER) -> float:
        """The next word as a number that a place on earth can be reckoned with."""
        word = self.take()
        try:
            value = float(word)
        except ValueError:
            raise invalid(word) from None
        if not least <= value <= MAX_NUMBER or b"_" in word:
            raise invalid(word)
        return value

    def integer(self, least: int, most: int = UNLIMITED) -> int:
        """The next word as a whole number within limits."""
        word = self.take()
        if not word.isdigit() or not least <= int(word) <= most:
            raise invalid(word)
        return int(word)

    def fields(self) -> tuple[list[bytes], list[bytes]]:
        """The names and the values of a run of `FIELD name value`, its first word taken; SET's time goes here."""
        words, start, end, length = self.words, self.position - 1, self.position + 2, len(self.words)
        while end < length and (words[end] == b"FIELD" or words[end].upper() == b"FIELD"):
            end += 3
        if end > length:
            raise self.wrong_number()
        self.position = end
        return words[start + 1 : end : 3], words[start + 2 : end : 3]

    def wrong_number(self) -> CommandError:
        """The error for a command that has too few words or too many."""
        command = self.words[0].decode(errors="replace").lower()
        return CommandError(f"wrong number of arguments for '{command}' command")


@dataclass(kw_only=True)
class Query:
    """The options of a search."""

    cursor: int = 0
    limit: int | None = None
    output: bytes = b"OBJECTS"
    with_fields: bool = True
    with_distance: bool = False
    tests: list[Test] = field(default_factory=list)

    def select(self, candidates: list[Item]) -> tuple[int, list[Item]]:
        """The next cursor (how many candidates were looked at when the limit was hit) and what passed."""
        limit = self.limit or (UNLIMITED if self.output == b"COUNT" else DEFAULT_LIMIT)
        found: list[Item] = []
        for position in range(self.cursor, len(candidates)):
            if all(test(candidates[position]) for test in self.tests):
                found.append(candidates[position])
                if len(found) == limit:
                    return position + 1, found
        return 0, found


def parse_query(words: Words) -> Query:
    """Take a search's options and its output off its words, up to the area."""
    query = Query()
    patterns: list[re.Pattern[str]] = []
    while words.peek() in OPTIONS:
        match words.take().upper():
            case b"CURSOR":
                query.cursor = words.integer(least=0)
            case b"DISTANCE":
                query.with_distance = True
            case b"LIMIT":
                query.limit = words.integer(least=1)
            case b"MATCH":
                patterns.append(glob(words.take()))
            case b"NOFIELDS":
                query.with_fields = False
            case b"WHERE":
                query.tests.append(_where(words))
            case b"WHEREIN":
                query.tests.append(_where_in(words))
    if patterns:
        query.tests.append(lambda item: any(pattern.match(item.id.decode("latin-1")) for pattern in patterns))
    if words.peek() in OUTPUTS:
        query.output = words.take().upper()
    return query


def glob(pattern: bytes) -> re.Pattern[str]:
    """A glob as a pattern for ids, bytes read as Latin-1."""
    return re.compile(fnmatch.translate(pattern.decode("latin-1").replace("[^", "[!")))


def _where(words: Words) -> Test:
    name, low_word = words.take(), words.take()
    low = comparable(low_word)
    if low[0] or isnan(low[1]):  # no number: an open bound or a whole expression, which only Tile38 takes
        raise unknown(low_word)
    high = comparable(words.take())
    return lambda item: low <= item.value(name) <= high


def _where_in(words: Words) -> Test:
    name = words.take()
    wanted = {comparable(words.take()) for _ in range(words.integer(least=0))}
    return lambda item: item.value(name) in wanted


def in_area(words: Words, collection: Collection) -> list[Item]:
    """The points in BOUNDS south west north east | CIRCLE lat lon metres | TILE x y z | POINT lat lon."""
    match words.take().upper():
        case b"BOUNDS":
            box = words.number(), words.number(), words.number(), words.number()
        case b"CIRCLE":
            circle = words.number(), words.number(), words.number(least=0)
            words.end()
            return in_circle(collection, *circle)
        case b"POINT":
            latitude, longitude = words.number(), words.number()
            box = latitude, longitude, latitude, longitude
        case b"TILE":
            box = tile_box(words.integer(0), words.integer(0), words.integer(0, MAX_ZOOM))
        case other:
            raise unknown(other)
    words.end()
    return in_box(collection, box)
