"""What history can be asked: the parameters of each operation, and how much of it one answer may be of.

How a parameter's text is read is in `parameters.py`, what is answered in `history.py`.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from serving import parameters
from serving.history_answers import TRACKS, Cursor
from serving.parameters import EXAMPLES, Airport, BoxText, CallsignPrefix, Icao24, Moment, Registration
from serving.problems import invalid
from serving.replay import STEPS_S

PAGE: Final = 100
LARGEST_PAGE: Final = 1000
ALL_AIRCRAFT: Final = (timedelta(hours=1), timedelta(hours=24))  # the window that is meant, and the longest
SKY: Final = 10_000  # flights at an instant: all that were ever in the air at once are more
ONE_AIRCRAFT: Final = (timedelta(days=7), timedelta(days=31))  # an address narrows far more than an hour does

_CursorText = Annotated[
    Cursor,
    BeforeValidator(Cursor.parse),
    WithJsonSchema({"type": "string", "description": "`next` of the page before"}),
]


def _later(value: datetime | None, info: ValidationInfo) -> datetime | None:
    start = info.data.get("from_time")
    if value is not None and start is not None and value <= start:
        raise ValueError("the end of the window must be later than its start (from)")
    return value


class WindowQuery(parameters.Query):
    """Parameters of every list of flights."""

    from_time: Moment | None = Field(None, alias="from", description="start of the window, ISO 8601 or Unix seconds")
    to_time: Moment | None = Field(None, alias="to", description="end of the window; absent: now")
    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE, description="flights on a page", examples=[EXAMPLES["limit"]])
    cursor: _CursorText | None = Field(None, description="`next` of the page before; the filters must be the same")

    @field_validator("to_time")
    @classmethod
    def _is_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        return _later(value, info)

    def window(self, now: datetime, usual: timedelta, longest: timedelta) -> tuple[datetime, datetime]:
        """Start and end: as asked for, as the cursor remembers, or the usual stretch up to now."""
        remembered = self.cursor
        end = self.to_time or (remembered.to_time if remembered else now)
        start = self.from_time or (remembered.from_time if remembered else end - usual)
        if start >= end:
            raise invalid("from", f"the window would start at or after its end, {end:%Y-%m-%dT%H:%M:%SZ}")
        if end - start > longest:
            hours = longest / timedelta(hours=1)
            raise invalid("from", f"the window is longer than {hours:g} hours: bring from and to closer together")
        return start, end


class FlightsQuery(WindowQuery):
    """Parameters of `/v1/flights`."""

    icao24: Icao24 | None = Field(None, description="one aircraft", examples=[EXAMPLES["icao24"]])
    callsign: CallsignPrefix | None = Field(None, description="the callsign, whole", examples=["SWR38"])
    registration: Registration | None = Field(
        None, description="the registration, whole, with its hyphen or without", examples=["D-AIBD"]
    )
    departure_airport: Airport | None = Field(None, description="ICAO location indicator", examples=["LFPO"])
    arrival_airport: Airport | None = Field(None, description="ICAO location indicator", examples=["LSZH"])
    bbox: BoxText | None = Field(None, description="flights that were in this box: west,south,east,north in degrees")
    format: Literal["json", "ndjson", "csv"] = Field(
        "json", description="json: a page; ndjson and csv: all that there are", examples=["csv"]
    )


class BandQuery(parameters.Query):
    """Parameters of the altitude band."""

    low_ft: int = Field(ge=-2000, le=200_000, description="barometric altitude", examples=[EXAMPLES["low_ft"]])
    high_ft: int = Field(ge=-2000, le=200_000, description="barometric altitude", examples=[EXAMPLES["high_ft"]])

    @field_validator("high_ft")
    @classmethod
    def _is_above(cls, value: int, info: ValidationInfo) -> int:
        low = info.data.get("low_ft")
        if low is not None and value < low:
            raise ValueError(f"{value} is below low_ft, {low}")
        return value


class TrackQuery(parameters.Query):
    """Parameters of a track."""

    format: str = Field(  # any text, so that one that there is not is a problem of its own
        "json",
        description=f"one of {', '.join(TRACKS)}",
        examples=[EXAMPLES["format"]],
        json_schema_extra={"enum": list(TRACKS)},
    )
    error_m: float | None = Field(
        None,
        ge=1,
        le=100_000,
        allow_inf_nan=False,
        description="leave out points that the way between the others tells within so many metres; absent: all points",
        examples=[50],
    )
    error_ft: float = Field(
        100, ge=1, le=10_000, allow_inf_nan=False, description="and within so many feet of altitude", examples=[100]
    )


class SkyQuery(parameters.Query):
    """Parameters of the sky: at one time, or of a window frame by frame."""

    time: Moment | None = Field(None, description="an instant, ISO 8601 or Unix seconds", examples=[EXAMPLES["time"]])
    from_time: Moment | None = Field(None, alias="from", description="instead of time: start of a window to replay")
    to_time: Moment | None = Field(None, alias="to", description="its end; an hour after its start at most")
    step_s: int = Field(
        10, ge=STEPS_S[0], le=STEPS_S[1], description="from frame to frame, seconds", examples=[EXAMPLES["step_s"]]
    )
    bbox: BoxText | None = Field(None, description="west,south,east,north in degrees; absent: everywhere")
    limit: int = Field(
        SKY, ge=1, le=SKY, description="at most so many flights at each time", examples=[EXAMPLES["limit"]]
    )

    @field_validator("to_time")
    @classmethod
    def _is_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        return _later(value, info)


class GapsQuery(parameters.Query):
    """Parameters of the gaps."""

    from_time: Moment | None = Field(
        None, alias="from", description="start of the window; absent: a day before its end"
    )
    to_time: Moment | None = Field(None, alias="to", description="end of the window; absent: now")
