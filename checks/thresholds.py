"""The thresholds of `thresholds.toml`, typed. What a rule means is said there and in the checks."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

_FILE: Final = Path(__file__).with_name("thresholds.toml")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Motion(_Part):
    """How fast an aircraft may be between two reports."""

    fastest_kt: float = Field(gt=0)
    position_error_nm: float = Field(ge=0)
    share: float = Field(gt=0, le=1)


class Order(_Part):
    """How time may run within a flight."""

    backward_s: float = Field(ge=0)
    backward_share: float = Field(gt=0, le=1)
    early_s: float = Field(ge=0)
    before_birth_s: float = Field(ge=0)
    longest_flight_h: float = Field(gt=0)


class Volume(_Part):
    """How many rows are usual, and how far an hour may be from that."""

    weeks: int = Field(ge=1)
    least_weeks: int = Field(ge=1)
    days: int = Field(ge=1)
    least_days: int = Field(ge=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=1)
    quiet_rows: int = Field(ge=0)


class Refused(_Part):
    """How many reports may be refused."""

    share: float = Field(ge=0, le=1)
    least_reports: int = Field(ge=1)


class Again(_Part):
    """When a judged hour is looked at again."""

    grown_share: float = Field(ge=0, le=1)
    grown_s: float = Field(ge=0)
    red_s: float = Field(ge=0)
    red_for_s: float = Field(ge=0)


class Hour(_Part):
    """What is expected of a closed hour of positions."""

    ranges: dict[str, tuple[float, float]]
    known: dict[str, float]
    patterns: dict[str, str]
    motion: Motion
    order: Order
    volume: Volume
    refused: Refused
    again: Again


class Compaction(_Part):
    """How long an hour may stay raw."""

    oldest_raw_h: float = Field(gt=0)


class Flights(_Part):
    """What is expected of flights."""

    known: dict[str, float]
    longest_h: float = Field(gt=0)
    fastest_average_kt: float = Field(gt=0)
    airport: str
    share: float = Field(gt=0, le=1)


class Live(_Part):
    """How well live and history agree."""

    settled_s: float = Field(ge=0)
    share: float = Field(gt=0, le=1)


class Thresholds(_Part):
    """All of them."""

    hour: Hour
    compaction: Compaction
    flights: Flights
    live: Live


@cache
def thresholds() -> Thresholds:
    """The file's, read once."""
    return Thresholds.model_validate(tomllib.loads(_FILE.read_text()))
