"""What is expected of an hour of positions. How it is checked is the matter of `expectations.py`."""

from typing import Any, Final

from checks.expectations import NAME, Verdict, great_expectations, judge_table
from flight_platform.codec import DEGREE_STEPS, TENTH_STEPS
from flight_platform.model import RANGES

# The columns of history.positions that hold a ranged field, and their steps in one unit of it.
_RANGED: Final = {
    "latitude_e7": ("latitude", DEGREE_STEPS),
    "longitude_e7": ("longitude", DEGREE_STEPS),
    "altitude_ft": ("altitude_ft", 1),
    "geometric_altitude_ft": ("geometric_altitude_ft", 1),
    "ground_speed_dkt": ("ground_speed_kt", TENTH_STEPS),
    "track_ddeg": ("track_deg", TENTH_STEPS),
    "vertical_rate_fpm": ("vertical_rate_fpm", 1),
}
_REQUIRED: Final = ("flight_id", "time", "received_at", "latitude_e7", "longitude_e7")
_IDENTITY: Final = ["flight_id", "time"]


def expected(gx: Any) -> list[Any]:
    """The expectations, by the library that makes them."""
    make = gx.expectations
    return [
        # First of all: ranges hold in an empty table too.
        make.ExpectTableRowCountToBeBetween(min_value=1, meta={NAME: "there are rows"}),
        *(make.ExpectColumnValuesToNotBeNull(column=c, meta={NAME: f"{c} is known"}) for c in _REQUIRED),
        *(
            make.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=round(RANGES[name][0] * steps),
                max_value=round(RANGES[name][1] * steps),
                meta={NAME: f"{column} is possible"},
            )
            for column, (name, steps) in _RANGED.items()
        ),
        make.ExpectColumnValuesToMatchRegex(
            column="squawk", regex="^[0-7]{4}$", meta={NAME: "squawk is four octal digits"}
        ),
        make.ExpectCompoundColumnsToBeUnique(column_list=_IDENTITY, meta={NAME: "(flight_id, time) is there once"}),
    ]


def judge_hour(url: str, leaf: str) -> list[Verdict]:
    """The verdicts on a leaf of `history.positions`."""
    with great_expectations() as gx:
        expectations = expected(gx)
    return judge_table(url, schema="history", table=leaf, expected=expectations)
