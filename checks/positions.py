"""What is expected of the rows of an hour. How they are judged is the matter of `expectations.py`."""

from typing import Any, Final

from checks.expectations import NAME, Verdict, great_expectations, judge_table
from checks.thresholds import Hour

_IDENTITY: Final = ("flight_id", "time")


def expected(gx: Any, limits: Hour, least_rows: int, most_rows: int | None) -> list[Any]:
    """The expectations, by the library that makes them; so many rows are no surprise."""
    make = gx.expectations
    between, matches = make.ExpectColumnValuesToBeBetween, make.ExpectColumnValuesToMatchRegex
    order, motion = limits.order, limits.motion
    return [
        # First of all: everything else holds in an empty table too.
        make.ExpectTableRowCountToBeBetween(
            min_value=max(1, least_rows), max_value=most_rows, meta={NAME: "there are as many rows as usual"}
        ),
        *(
            make.ExpectColumnValuesToNotBeNull(column=column, mostly=share, meta={NAME: f"{column} is known"})
            for column, share in limits.known.items()
        ),
        *(
            between(column=column, min_value=low, max_value=high, meta={NAME: f"{column} is possible"})
            for column, (low, high) in limits.ranges.items()
        ),
        *(
            matches(column=column, regex=pattern, meta={NAME: f"{column} looks like one"})
            for column, pattern in limits.patterns.items()
        ),
        make.ExpectCompoundColumnsToBeUnique(
            column_list=["flight_key", "time"], meta={NAME: "(flight_id, time) is there once"}
        ),
        between(
            column="backward_s",
            max_value=order.backward_s,
            mostly=order.backward_share,
            meta={NAME: "time does not run backwards"},
        ),
        between(column="delay_s", min_value=-order.early_s, meta={NAME: "nothing is received before it is true"}),
        between(
            column="age_s",
            min_value=-order.before_birth_s,
            max_value=order.longest_flight_h * 3600,
            meta={NAME: "time lies within the flight"},
        ),
        between(
            column="implied_speed_kt",
            max_value=motion.fastest_kt,
            mostly=motion.share,
            meta={NAME: "speed between reports is possible"},
        ),
    ]


def judge_rows(
    url: str, title: str, limits: Hour, *, least_rows: int, most_rows: int | None
) -> tuple[list[Verdict], str]:
    """The verdicts on the rows in ops.judged_hour, and their page."""
    with great_expectations() as gx:
        expectations = expected(gx, limits, least_rows, most_rows)
    return judge_table(url, schema="ops", table="judged_hour", title=title, expected=expectations, identity=_IDENTITY)
