"""`flight archive list|write|verify|drop|restore`: days in the Parquet archive. How is in `flight_platform/history`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.hours import JSON
from cli.output import say, say_json, table
from flight_platform.errors import FlightError, SettingsError

if TYPE_CHECKING:
    import psycopg

    from flight_platform.settings import Settings

FirstDay = Annotated[str, typer.Option("--from", help="First day, UTC: 2026-01-31.")]
LastDay = Annotated[str | None, typer.Option("--to", help="Last day, included; the first where it is left out.")]


def show(*, since: FirstDay = "1970-01-01", until: LastDay = "9999-12-30", as_json: JSON = False) -> None:
    """Lists the days that are in the archive."""
    from flight_platform.history.archive import list_days

    first, last = days_between(since, until)
    with _open() as (_, connection):
        days = list_days(connection, first, last + timedelta(days=1))
    if as_json:
        say_json(days)
        return
    cells = [
        [
            d["day"],
            d["rows"],
            f"{d['bytes'] / 1e6:.1f}",
            "archive alone" if d["dropped_at"] else "database too",
            d["path"],
        ]
        for d in days
    ]
    say(table(["day (UTC)", "positions", "MB", "is in", "file"], cells))


def write(*, since: FirstDay, until: LastDay = None, as_json: JSON = False) -> None:
    """Writes days to the archive, or writes them anew. A day that has raw positions still is left out."""
    from flight_platform.history.archive import archive_day

    def act(settings: "Settings", connection: "psycopg.Connection", day: date) -> dict[str, Any]:
        made = archive_day(connection, settings.archive, day)
        return {name: getattr(made, name) for name in type(made).__slots__}

    def line(d: dict[str, Any]) -> str:
        return f"not archived: {d['skipped']}" if d["skipped"] else f"{d['rows']} positions, {d['bytes'] / 1e6:.1f} MB"

    _each_day(since, until, as_json, act, line)


def verify(*, since: FirstDay, until: LastDay = None, as_json: JSON = False) -> None:
    """Reads days in the archive again and holds them against the books; fails where one is wrong."""
    from flight_platform.history.archive import verify_day

    def act(settings: "Settings", connection: "psycopg.Connection", day: date) -> dict[str, Any]:
        verify_day(connection, settings.archive, day)
        return {"day": day, "verified": True}

    _each_day(since, until, as_json, act, lambda _: "as it is on record")


def drop(*, since: FirstDay, until: LastDay = None, as_json: JSON = False) -> None:
    """Takes days out of the database, each only if the archive provably has it as it is."""
    from flight_platform.history.retention import drop_day

    def act(settings: "Settings", connection: "psycopg.Connection", day: date) -> dict[str, Any]:
        done = drop_day(connection, settings.archive, day)
        return {name: getattr(done, name) for name in type(done).__slots__}

    def line(d: dict[str, Any]) -> str:
        return f"stays: {d['kept']}" if d["kept"] else f"{d['rows']} positions left the database"

    _each_day(since, until, as_json, act, line)


def restore(*, since: FirstDay, until: LastDay = None, as_json: JSON = False) -> None:
    """Brings days back from the archive; what is in the database stays as it is. They stay for a week at least."""
    from flight_platform.history.archive import restore_day

    def act(settings: "Settings", connection: "psycopg.Connection", day: date) -> dict[str, Any]:
        return {"day": day, "rows": restore_day(connection, settings.archive, day)}

    _each_day(since, until, as_json, act, lambda d: f"{d['rows']} positions restored")


def days_between(since: str, until: str | None) -> tuple[date, date]:
    """The first and the last day that the options mean."""
    try:
        first = date.fromisoformat(since)
        last = first if until is None else date.fromisoformat(until)
    except ValueError:
        raise SettingsError(f"--from {since} --to {until}: days are expected, as in --from 2026-01-31") from None
    if last < first:
        raise SettingsError(f"--from ({first}) must not be after --to ({last})")
    return first, last


def _each_day(
    since: str,
    until: str | None,
    as_json: bool,
    act: Callable[["Settings", "psycopg.Connection", date], dict[str, Any]],
    line: Callable[[dict[str, Any]], str],
) -> None:
    first, last = days_between(since, until)
    if last > datetime.now(UTC).date():
        raise FlightError(f"{last} is not over: the archive has whole days")
    done = []
    with _open() as (settings, connection):
        for n in range((last - first).days + 1):
            done.append(act(settings, connection, first + timedelta(days=n)))
            if not as_json:
                say(f"{done[-1]['day']}  {line(done[-1])}")
    if as_json:
        say_json(done)


@contextmanager
def _open() -> Iterator[tuple["Settings", "psycopg.Connection"]]:
    from cli.postgres import connected
    from flight_platform.settings import Settings

    settings = Settings.read()
    with connected(settings.postgres_url.get_secret_value()) as connection:
        yield settings, connection
