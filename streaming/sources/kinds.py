"""What each kind of source is and takes: the facts that the command line and the documentation show, and how its
options are checked. Which kinds there are is in `__init__.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flight_platform.errors import SettingsError
from flight_platform.settings import Settings
from streaming.sources.base import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked of a source: settings, name, place (an address or a file), and the options that were given."""

    settings: Settings
    name: str
    named: bool  # the name was given, and is not the kind's own
    url: str | None
    file: Path | None
    options: dict[str, Any]

    def option(self, name: str) -> Any:
        """An option as it was given; None where it was not."""
        return self.options.get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """One kind of source: how it is opened, and what people need to know of it."""

    open: Callable[[Request], Source]
    summary: str
    brings: str  # the fields of a report that it fills, beyond address, time and place
    rate: str
    licence: str
    example: str  # a command that runs it
    options: frozenset[str]
    url_example: str | None  # None: it takes no address
    file_example: str | None  # None: it takes no file
    default_url: str | None = None


BoundingBox = tuple[float, float, float, float]  # west, south, east, north


def bounding_box(value: Any) -> BoundingBox | None:
    """The box in `west,south,east,north` (text or four numbers)."""
    if value is None:
        return None
    example = "Example: --bbox 5.9,45.8,10.5,47.8"
    parts = value.split(",") if isinstance(value, str) else list(value)
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        raise SettingsError(
            f"--bbox is {value!r}: four numbers west,south,east,north are expected. {example}"
        ) from None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise SettingsError(
            f"--bbox is {value!r}: west must be below east and south below north, within -180..180 and -90..90 "
            f"(for a box across the 180th meridian run two feeds). {example}"
        )
    return west, south, east, north


def positive(value: Any, option: str, example: str) -> float | None:
    """A number above zero."""
    if value is None:
        return None
    number = finite(value, option, example)
    if number <= 0:
        raise SettingsError(f"--{option} is {value!r}: a number above 0 is expected. Example: --{option} {example}")
    return number


def finite(value: Any, option: str, example: str) -> float:
    """A number that is neither infinite nor NaN."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"--{option} is {value!r}: a number is expected. Example: --{option} {example}")
    return number


def time_zone(value: Any) -> ZoneInfo:
    """The time zone with that IANA name; UTC where none is given."""
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo("UTC" if value is None else str(value))
    except (ValueError, OSError, KeyError):  # no such key, a path, a folder
        raise SettingsError(
            f"--timezone is {value!r}: there is no such time zone. Example: --timezone Asia/Tokyo"
        ) from None


def choice(value: Any, option: str, choices: tuple[str, ...]) -> str | None:
    """One of a few words."""
    if value is None or value in choices:
        return value  # type: ignore[no-any-return]
    raise SettingsError(
        f"--{option} is {value!r}: one of {', '.join(choices)} is expected. Example: --{option} {choices[0]}"
    )


def whole_number(value: Any, option: str, example: str) -> int | None:
    """A whole number above zero."""
    number = positive(value, option, example)
    if number is None:
        return None
    if number != int(number):
        raise SettingsError(f"--{option} is {value!r}: a whole number is expected. Example: --{option} {example}")
    return int(number)


def readable(file: Path) -> Path:
    """The same file where it can be read."""
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        raise SettingsError(f"--file {file}: {error.strerror}. Example: --file recording.jsonl.gz") from None
