"""What is expected of flights: those in `ops.judged_flights`. How they are derived is `flight_platform/flights/`."""

from typing import Any, Final

from checks.expectations import NAME, Verdict, great_expectations, judge_table
from checks.thresholds import Flights

_IDENTITY: Final = ("flight_id", "first_time")


def expected(gx: Any, limits: Flights) -> list[Any]:
    """The expectations, by the library that makes them; a day without flights is as it should be."""
    make = gx.expectations
    between, fastest = make.ExpectColumnValuesToBeBetween, limits.fastest_average_kt
    return [
        *(
            make.ExpectColumnValuesToNotBeNull(column=column, mostly=share, meta={NAME: f"{column} is known"})
            for column, share in limits.known.items()
        ),
        make.ExpectColumnValuesToBeUnique(column="flight_id", meta={NAME: "a flight is there once"}),
        between(
            column="duration_h", min_value=0, max_value=limits.longest_h, meta={NAME: "the flight is not too long"}
        ),
        between(column="airborne_h", min_value=0, meta={NAME: "it lands after it took off"}),
        between(column="distance_nm", min_value=0, meta={NAME: "distance is possible"}),
        *(
            between(
                column=column,
                min_value=0,
                max_value=fastest,
                mostly=limits.share,
                meta={NAME: f"{column} is possible"},
            )
            for column in ("average_ground_speed_kt", "speed_by_distance_kt")
        ),
        *(
            make.ExpectColumnValuesToMatchRegex(
                column=column, regex=limits.airport, meta={NAME: f"{column} looks like one"}
            )
            for column in ("departure_airport", "arrival_airport")
        ),
    ]


def judge_flights(url: str, limits: Flights) -> tuple[list[Verdict], str]:
    """The verdicts on the flights that were derived in the last day, and their page."""
    with great_expectations() as gx:
        expectations = expected(gx, limits)
    return judge_table(
        url,
        schema="ops",
        table="judged_flights",
        title="flights derived in the last day",
        expected=expectations,
        identity=_IDENTITY,
    )
