"""`flight hours list|accept|recheck`: the verdicts on closed hours, and what an operator does about a red one.

What makes an hour red is the matter of `checks/`; Dagster does the same by the jobs `accept_red_hour`, `recheck_hours`.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.dead_letters import moment
from cli.operator import operator
from cli.output import say, say_json, table
from flight_platform.errors import SettingsError

if TYPE_CHECKING:
    import psycopg

_SHOWN: Final = 90  # characters of what is wrong, in a table
HourArgument = Annotated[str, typer.Argument(metavar="HOUR", help="Start of the hour, UTC: 2026-01-31T22:00")]
FromOption = Annotated[str, typer.Option("--from", help="ISO 8601 (UTC), or an age as 90min, 24h, 3d.")]
ToOption = Annotated[str | None, typer.Option("--to", help="The same; now where it is left out.")]
JSON = Annotated[bool, typer.Option("--json", help="For scripts.")]


def list_hours(*, since: FromOption = "24h", until: ToOption = None, red: bool = False, as_json: JSON = False) -> None:
    """Lists closed hours with their verdicts; `--red` only those that need somebody."""
    from cli.postgres import connected
    from flight_platform.history.verdicts import list_verdicts
    from flight_platform.settings import Settings

    first, end = stretch(since, until)
    with connected(Settings.read().postgres_url.get_secret_value()) as connection:
        found = list_verdicts(connection, first, end)
    kept = [hour | {"verdict": verdict_of(hour)} for hour in found]
    kept = [hour for hour in kept if hour["verdict"] == "red"] if red else kept
    if as_json:
        say_json(kept)
        return
    rows = [
        [f"{h['hour']:%Y-%m-%d %H:00}", h["verdict"], h["presence"], h["rows"], _form(h), _why(h)[:_SHOWN]]
        for h in kept
    ]
    say(table(["hour (UTC)", "verdict", "presence", "rows", "stored as", "what is not as expected"], rows))
    say(f"({len(kept)} hours)")


def accept(
    hour: HourArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why it may stay as it is; recorded.")],
    by: Annotated[str | None, typer.Option(help="Who accepts it; your login name where it is left out.")] = None,
    as_json: JSON = False,
) -> None:
    """Accepts a red hour as it is: its incident closes, compaction may go on."""
    from checks.hours import publish_and_settle
    from cli.postgres import connected
    from flight_platform.history.verdicts import accept_hour
    from flight_platform.settings import Settings

    settings, which, who = Settings.read(), hour_of(hour), by or operator()
    with connected(settings.postgres_url.get_secret_value()) as connection:
        accept_hour(connection, which, by=who, reason=reason)
        publish_and_settle(settings, connection, datetime.now(UTC))
    if as_json:
        say_json({"hour": which, "accepted_by": who, "reason": reason})
    else:
        say(f"{which:%Y-%m-%d %H:00} UTC accepted by {who}: {reason}")


def recheck(
    hour: HourArgument,
    to: Annotated[str | None, typer.Argument(metavar="[TO]", help="Last hour of a stretch, included.")] = None,
    *,
    as_json: JSON = False,
) -> None:
    """Judges an hour anew, or a stretch of hours: after it was mended, or the thresholds changed."""
    from checks.hours import last_closed, publish_and_settle
    from cli.postgres import connected
    from flight_platform.settings import Settings

    settings, now = Settings.read(), datetime.now(UTC)
    first, last = hour_of(hour), hour_of(to or hour)
    if not first <= last <= last_closed(now):
        raise SettingsError(f"only closed hours are judged, the last one is {last_closed(now):%Y-%m-%dT%H:00}")
    with connected(settings.postgres_url.get_secret_value()) as connection:
        answers = [_recheck(settings, connection, each, quiet=as_json) for each in hours_between(first, last)]
        publish_and_settle(settings, connection, now)
    if as_json:
        say_json(answers)


def _recheck(settings: Any, connection: "psycopg.Connection", hour: datetime, *, quiet: bool) -> dict[str, Any]:
    """One hour, with how far Kafka is read just before: a stretch takes minutes."""
    from checks.hours import judge_hour
    from flight_platform.history.progress import progress

    judgement = judge_hour(settings, connection, hour, progress(settings, connection))
    failures = judgement.failures
    if not quiet:
        told = "; ".join(f"{failure['name']}: {failure['observed']}" for failure in failures)
        say(f"{hour:%Y-%m-%d %H:00}  {'as expected' if judgement.passed else 'red'}  {told}".rstrip())
    return {"hour": hour, "passed": judgement.passed, "presence": judgement.presence, "failures": failures}


def verdict_of(hour: dict[str, Any]) -> str:
    """The verdict in one word."""
    if hour["passed"]:
        return "passed"
    return "accepted" if hour["accepted_at"] is not None else "red"


def stretch(since: str, until: str | None) -> tuple[datetime, datetime]:
    """The stretch of time that the options mean."""
    now = datetime.now(UTC)
    now_ms = round(now.timestamp() * 1000)
    first = datetime.fromtimestamp(moment(since, "from", now_ms) / 1000, UTC)
    end = now if until is None else datetime.fromtimestamp(moment(until, "to", now_ms) / 1000, UTC)
    if first >= end:
        raise SettingsError(f"--from ({first:%Y-%m-%dT%H:%M}) must be before --to ({end:%Y-%m-%dT%H:%M})")
    return first, end


def hour_of(text: str) -> datetime:
    """The hour that a text names."""
    return datetime.fromtimestamp(moment(text, "hour", 0) // 3_600_000 * 3600, UTC)


def hours_between(first: datetime, last: datetime) -> list[datetime]:
    """The hours from one to another, both included."""
    return [first + timedelta(hours=n) for n in range(int((last - first) / timedelta(hours=1)) + 1)]


def _form(hour: dict[str, Any]) -> str:
    if hour["dropped_at"] is not None:
        return "archive"
    return "chunks" if hour["compacted_at"] is not None else "raw"


def _why(hour: dict[str, Any]) -> str:
    if hour["accepted_at"] is not None:
        return f"accepted by {hour['accepted_by']}: {hour['accepted_reason']}"
    return "; ".join(f"{failure['name']}: {failure['observed']}" for failure in hour["failures"] or [])
