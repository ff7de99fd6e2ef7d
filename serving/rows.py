"""Rows of history as answers have them: their JSON, written by columns.

A column mostly has values of one type, so what writes them is chosen once for all of them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from types import NoneType
from typing import Any, Final

from flight_platform.codec import iso_time, unix_ms
from flight_platform.history.table import Row, columns

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = [f"{second:02d}" for second in range(60)]
_MILLISECONDS: Final = [f".{milliseconds:03d}Z" for milliseconds in range(1000)]


def dumps(value: Any) -> bytes:
    """JSON with times as ISO 8601 text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def objects(rows: Sequence[Row], names: Iterable[str] | None = None) -> list[str]:
    """The JSON object of each row, of these columns in their order, or of all: as `dumps` writes it, and quicker."""
    values = columns(rows)
    if not values:
        return []
    chosen = tuple(values if names is None else names)
    pieces: list[Iterable[str]] = []
    for name in chosen:
        pieces += repeat(f'{"," if pieces else "{"}"{name}":'), _texts(values[name])
    return ["".join(row) for row in zip(*pieces, repeat("}"), strict=False)]  # what is repeated has no end


def moment_texts(moments: Iterable[datetime | None], mark: str = "") -> Iterator[str | None]:
    """`iso_time` of each, between marks; None where there is none. A third of the time where few minutes are meant."""
    for moment in moments:
        if moment is None:
            yield None
            continue
        since = moment - _EPOCH
        minute, second = divmod(since.seconds, 60)
        milliseconds, rest = divmod(since.microseconds, 1000)
        if rest:
            yield f"{mark}{iso_time(unix_ms(moment))}{mark}"
        else:
            yield f"{mark}{_minute(since.days * 1440 + minute)}{_SECONDS[second]}{_MILLISECONDS[milliseconds]}{mark}"


@lru_cache(4_096)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:")


def _texts(values: Sequence[Any]) -> Iterable[str]:
    kinds = set(map(type, values))
    if datetime in kinds and kinds <= {datetime, NoneType}:
        return [text or "null" for text in moment_texts(values, '"')]
    if len(kinds) == 1:
        return map(_writer(kinds.pop()), values)
    writers = {kind: _writer(kind) for kind in kinds}
    return [writers[type(value)](value) for value in values]


def _writer(kind: type) -> Callable[[Any], str]:
    return _WRITERS.get(kind, lambda value: dumps(value).decode())


@lru_cache(4_096)  # callsigns, squawks, names: few beside the rows that have them
def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    NoneType: lambda _: "null",
    bool: {True: "true", False: "false"}.__getitem__,
    int: int.__repr__,
    float: float.__repr__,
    str: _text,
}


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return iso_time(unix_ms(value))
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
