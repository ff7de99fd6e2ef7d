"""How the command speaks: tables, JSON, ages, sizes, one line for an error. What it says is the commands' matter."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

UNKNOWN = "-"  # shown where a value is not known; never 0


def say(text: str = "") -> None:
    """A line for the reader, written at once (progress must show when the output is a pipe, too)."""
    print(text, flush=True)


def fail(error: object) -> None:
    """The one line of an error, on standard error."""
    print(f"flight: {error}", file=sys.stderr)


def say_json(value: object) -> None:
    """A value for a script: moments in ISO 8601, UTC."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_plain), flush=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Aligned columns: numbers to the right, text to the left, a rule under the head."""
    kept = [list(row) for row in rows]
    cells = [[UNKNOWN if value is None else str(value) for value in row] for row in kept]
    widths = [max(len(name), *(len(row[i]) for row in cells)) if cells else len(name) for i, name in enumerate(head)]
    right = [bool(kept) and all(_is_number(row[i]) for row in kept) for i in range(len(head))]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([line(list(head)), "  ".join("─" * width for width in widths), *map(line, cells)])


def _is_number(value: object) -> bool:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return True
    text = str(value)
    return text == UNKNOWN or text[:1].isdigit()


def age(seconds: float | None) -> str:
    """An age as people say it: `0.4 s`, `12 s`, `3 min`, `17 h`, `4 d`."""
    if seconds is None:
        return UNKNOWN
    for limit, unit, size, digits in (
        (9.95, "s", 1, 1),
        (120, "s", 1, 0),
        (7200, "min", 60, 0),
        (172_800, "h", 3600, 0),
    ):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def megabytes(size: int | None) -> str:
    """A size in memory."""
    return UNKNOWN if size is None else f"{size / 1e6:.0f} MB"
