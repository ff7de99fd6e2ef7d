"""`flight partitions ahead|list`: the hours of history, those to come and those that are there."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.hours import JSON, FromOption, ToOption, stretch
from cli.output import say, say_json, table

_LATER = timedelta(days=62)  # no leaf is made further ahead


def ahead(
    *,
    days: Annotated[int | None, typer.Option(help="How far ahead.", min=1, max=60)] = None,
    as_json: JSON = False,
) -> None:
    """Makes the partitions of the days to come."""
    from cli.postgres import connected
    from flight_platform.history.partitions import days_ahead, ensure_ahead
    from flight_platform.settings import Settings

    settings = Settings.read()
    now = datetime.now(UTC)
    with connected(settings.postgres_url.get_secret_value()) as connection:
        made = ensure_ahead(connection, now, days or settings.partitions_ahead_days)
        reach = days_ahead(connection, now)
    if as_json:
        say_json({"made": made, "days_ahead": round(reach, 2)})
        return
    say(f"{len(made)} partitions made" if made else "all partitions are there")
    say(f"each hour has its partition for {reach:.1f} days to come")


def show(*, since: FromOption = "3d", until: ToOption = None, as_json: JSON = False) -> None:
    """Lists the hours of history: how each is stored, how many positions it has, and what it takes on disk."""
    from cli.postgres import connected, query, rows
    from flight_platform.settings import Settings

    first, end = stretch(since, until)
    end = end if until else end + _LATER
    with connected(Settings.read().postgres_url.get_secret_value()) as connection:
        hours = rows(connection, query("partitions_coverage"), {"from_time": first, "to_time": end})
    if as_json:
        say_json(hours)
        return
    cells = [
        [f"{h['hour']:%Y-%m-%d %H:00}", h["state"], h["positions"], f"{h['bytes'] / 1e6:.1f}", _verdict(h["passed"])]
        for h in hours
    ]
    say(table(["hour (UTC)", "stored as", "positions", "MB", "checks"], cells))
    say(f"({len(hours)} hours)")


def _verdict(passed: bool | None) -> str | None:
    return None if passed is None else "passed" if passed else "red"
