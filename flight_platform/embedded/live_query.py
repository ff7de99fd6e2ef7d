"""The grammar of the live server's commands: their words, a search's options, and which objects pass them.

    SCAN|WITHIN|INTERSECTS|NEARBY key [CURSOR n][LIMIT n][MATCH glob]... [WHERE f min max]...
        [WHEREIN f n v...]... [NOFIELDS][DISTANCE][ASC|DESC] [COUNT|IDS|OBJECTS|POINTS] area

What does not belong here: how objects are kept (`live_store.py`) and what a command does (`live_server.py`).
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan

from flight_platform.embedded.live_store import Item, comparable

HINT = "the embedded live server speaks only a part of Tile38's protocol, run tile38-server for the rest"
DEFAULT_LIMIT = 100  # Tile38's own
UNLIMITED = 1 << 62
OUTPUTS = frozenset((b"COUNT", b"IDS", b"OBJECTS", b"POINTS"))
# What Tile38 can and we cannot: answered with a hint, so that nobody searches for a typing error.
BEYOND_US = frozenset(
    b"BUFFER CLIP COMMANDS DETECT FENCE GET HASH HASHES NODWELL OBJECT ROAM SECTOR SPARSE WHEREEVAL"
    b" WHEREEVALSHA".split()
)
Test = Callable[[Item], bool]


class CommandError(Exception):
    """A command that cannot be done; the message is Tile38's, without the `ERR`."""


def invalid(word: bytes, hint: bool = False) -> CommandError:
    """The error for a word that does not fit."""
    text = f"invalid argument '{word.decode(errors='replace')}'"
    return CommandError(f"{text}: {HINT}" if hint else text)


class Words:
    """The words of a command, taken one after the other."""

    def __init__(self, words: Sequence[bytes], position: int = 1) -> None:
        self.words = words
        self.position = position

    def take(self) -> bytes:
        """The next word; an error of arity where there is none."""
        if self.position >= len(self.words):
            command = self.words[0].decode(errors="replace").lower()
            raise CommandError(f"wrong number of arguments for '{command}' command")
        self.position += 1
        return self.words[self.position - 1]

    def peek(self) -> bytes:
        """The next word in capitals, empty at the end."""
        return self.words[self.position].upper() if self.more() else b""

    def more(self) -> bool:
        """Whether there are words left."""
        return self.position < len(self.words)

    def end(self) -> None:
        """No more words may follow."""
        if self.more():
            self.position = len(self.words)
            self.take()

    def number(self) -> float:
        """The next word as a number that a place on earth can be reckoned with."""
        word = self.take()
        try:
            value = float(word)
        except ValueError:
            raise invalid(word) from None
        if not isfinite(value) or b"_" in word:
            raise invalid(word)
        return value

    def metres(self) -> float:
        """The next word as a distance."""
        value = self.number()
        if value < 0:
            raise invalid(self.words[self.position - 1])
        return value

    def integer(self, least: int, most: int = UNLIMITED) -> int:
        """The next word as a whole number within limits."""
        word = self.take()
        if not word.isdigit() or not least <= int(word) <= most:
            raise invalid(word)
        return int(word)


@dataclass(kw_only=True)
class Query:
    """The options of a search."""

    cursor: int = 0
    limit: int | None = None
    output: str = "OBJECTS"
    with_fields: bool = True
    with_distance: bool = False
    descending: bool = False
    tests: list[Test] = field(default_factory=list)
    patterns: list[re.Pattern[str]] = field(default_factory=list)

    def select(self, candidates: Sequence[Item]) -> tuple[int, list[Item]]:
        """The next cursor (how many candidates were looked at when the limit was hit) and what passed."""
        limit = self.limit or (UNLIMITED if self.output == "COUNT" else DEFAULT_LIMIT)
        if not self.tests:
            found = list(candidates[self.cursor : self.cursor + limit])
            return (self.cursor + limit if len(found) == limit else 0), found
        found = []
        for position in range(self.cursor, len(candidates)):
            item = candidates[position]
            if all(test(item) for test in self.tests):
                found.append(item)
                if len(found) == limit:
                    return position + 1, found
        return 0, found


def parse_query(words: Words) -> Query:
    """Take a search's options off its words, up to the area."""
    query = Query()
    seen = set()
    while (word := words.peek()) in _OPTIONS:
        words.take()
        if word in seen and word in _ONCE:
            raise CommandError(f"duplicate argument '{word.decode()}'")
        seen.add(word)
        _OPTIONS[word](query, words)
    if query.patterns:
        query.tests.append(_matches_any(query.patterns))
    if word in OUTPUTS:
        query.output = words.take().decode().upper()
    elif word in BEYOND_US:
        raise invalid(words.take(), hint=True)
    return query


def glob(pattern: bytes) -> re.Pattern[str]:
    """A glob as a pattern for ids, bytes read as Latin-1."""
    return re.compile(fnmatch.translate(pattern.decode("latin-1").replace("[^", "[!")))


def _matches_any(patterns: list[re.Pattern[str]]) -> Test:
    return lambda item: any(pattern.match(item.id.decode("latin-1")) for pattern in patterns)


def _limit(query: Query, words: Words) -> None:
    query.limit = words.integer(least=1)


def _cursor(query: Query, words: Words) -> None:
    query.cursor = words.integer(least=0)


def _match(query: Query, words: Words) -> None:
    query.patterns.append(glob(words.take()))


def _no_fields(query: Query, _words: Words) -> None:
    query.with_fields = False


def _distance(query: Query, _words: Words) -> None:
    query.with_distance = True


def _ascending(query: Query, _words: Words) -> None:
    query.descending = False


def _descending(query: Query, _words: Words) -> None:
    query.descending = True


def _where(query: Query, words: Words) -> None:
    name = words.take()
    if re.search(rb"[<>=&|!()\s]", name):
        raise invalid(name, hint=True)
    low_word, high_word = words.take(), words.take()
    low, high = comparable(low_word.removeprefix(b"(")), comparable(high_word.removeprefix(b"("))
    number = comparable(b"0")[0]
    if low[0] != number or isnan(low[1]):
        raise invalid(low_word)
    above, below = low_word[:1] == b"(", high_word[:1] == b"("

    def test(item: Item) -> bool:
        value = item.value(name)
        return (low < value if above else low <= value) and (value < high if below else value <= high)

    query.tests.append(test)


def _where_in(query: Query, words: Words) -> None:
    name = words.take()
    many = words.integer(least=0)
    wanted = {comparable(words.take()) for _ in range(many)}
    query.tests.append(lambda item: item.value(name) in wanted)


_OPTIONS: dict[bytes, Callable[[Query, Words], None]] = {
    b"ASC": _ascending,
    b"CURSOR": _cursor,
    b"DESC": _descending,
    b"DISTANCE": _distance,
    b"LIMIT": _limit,
    b"MATCH": _match,
    b"NOFIELDS": _no_fields,
    b"WHERE": _where,
    b"WHEREIN": _where_in,
}
_ONCE = frozenset((b"CURSOR", b"LIMIT", b"NOFIELDS"))
