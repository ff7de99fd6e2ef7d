"""Fields of foreign objects with their types checked: the small change of every decoder.

A wrong type raises UndecodableError with the field's name. Ranges do not belong here: they are the feed's.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from flight_platform.errors import UndecodableError

FOOT_M: Final = 0.3048
KNOT_M_S: Final = 1852 / 3600
FEET_A_MINUTE_M_S: Final = FOOT_M / 60

# Unix milliseconds from 1970 to the end of the year 9999: beyond it nothing can show a time.
_LAST_MS: Final = 253_402_300_799_999
_MS_FROM: Final = 1e11  # a time of 1e11 and more is milliseconds: as seconds it would be the year 5138


def parse_json(content: bytes | str) -> Any:
    """The object in JSON text; raises UndecodableError where it is none (half a file, HTML, nested without end)."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and too many digits are ValueErrors
        raise UndecodableError(f"not JSON: {error}") from error


def as_json(value: object) -> bytes:
    """The bytes that a dead letter keeps of an object."""
    return json.dumps(value, default=str).encode()


def number(entry: Mapping[str, Any], name: str) -> float | int | None:
    """The number in a field; None where it is absent or null."""
    value = entry.get(name)
    return None if value is None else plain_number(value, name)


def plain_number(value: Any, name: str) -> float | int:
    """The value itself if it is a number: not text, not true or false."""
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[no-any-return]
    raise UndecodableError(f"{name} is {_shown(value)}: a number is expected")


def whole(value: Any, name: str, unit: float = 1) -> int | None:
    """A number in steps of one, counted in `unit`s of what it was; None for None."""
    if value is None:
        return None
    try:
        return round(plain_number(value, name) / unit) if unit != 1 else round(plain_number(value, name))
    except (ValueError, OverflowError) as error:
        raise UndecodableError(f"{name} is {_shown(value)}: {error}") from error


def tenths(value: Any, name: str, unit: float = 1) -> float | None:
    """A number in steps of 0.1, counted in `unit`s of what it was; None for None."""
    if value is None:
        return None
    try:
        return round(plain_number(value, name) / unit, 1)
    except OverflowError as error:
        raise UndecodableError(f"{name} is {_shown(value)}: {error}") from error


def track(value: Any, name: str = "track") -> float | None:
    """A direction in steps of 0.1 degree; what rounds to 360 is north, 0."""
    direction = tenths(value, name)
    return 0.0 if direction == 360.0 else direction


def degrees(value: Any, name: str) -> float:
    """A latitude or longitude in steps of 1e-7 degrees."""
    try:
        return round(float(plain_number(value, name)), 7)
    except OverflowError as error:
        raise UndecodableError(f"{name} is {_shown(value)}: {error}") from error


def text(entry: Mapping[str, Any], name: str) -> str | None:
    """The text in a field; None where it is absent, null or blank."""
    return plain_text(entry.get(name), name)


def plain_text(value: Any, name: str) -> str | None:
    """The value itself, without padding, if it is text; None where it is null or blank."""
    if value is None:
        return None
    if type(value) is not str:
        raise UndecodableError(f"{name} is {_shown(value)}: text is expected")
    return value.strip() or None


def flag(value: Any, name: str) -> bool | None:
    """True or false; None for None."""
    if value is None or isinstance(value, bool):
        return value
    raise UndecodableError(f"{name} is {_shown(value)}: true or false is expected")


def squawk(value: Any) -> str | None:
    """A Mode A code as four digits, from text or a number; None where it is null or blank."""
    if value is None:
        return None
    if type(value) is str:
        return value.strip().zfill(4) if value.strip() else None
    digits = whole(value, "squawk")
    return f"{digits:04d}"


def address(value: Any, name: str) -> str:
    """An aircraft's address in lower case."""
    if type(value) is not str or not value.strip():
        raise UndecodableError(f"{name} is {_shown(value)}: an address of six hex digits is expected")
    return value.strip().lower()


def moment(value: Any, name: str) -> int:
    """Unix milliseconds of a number of seconds or milliseconds."""
    seconds = plain_number(value, name)
    try:
        time_ms = round(seconds if seconds >= _MS_FROM else seconds * 1000)
    except (ValueError, OverflowError) as error:
        raise UndecodableError(f"{name} is {_shown(value)}: {error}") from error
    return checked_moment(time_ms, name)


def checked_moment(time_ms: int, name: str) -> int:
    """The same milliseconds where they are a time between 1970 and 9999."""
    if not 0 <= time_ms <= _LAST_MS:
        raise UndecodableError(f"{name} is {_shown(time_ms)} ms: no time between 1970 and 9999")
    return time_ms


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits
        return "a number without end"
    return shown if len(shown) <= 100 else shown[:100] + "..."
