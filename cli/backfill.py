"""`flight backfill`: brings the reports of a stretch of time from a recording, and marks the gaps that it fills.

What a recording is, is the matter of the sources; the way into history, of `streaming/backfill.py`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.hours import stretch
from cli.output import say, say_json
from flight_platform.errors import FlightError, SettingsError

if TYPE_CHECKING:
    from flight_platform.settings import Settings

_ISO = "ISO 8601 (UTC), or an age as 90min, 24h, 3d."


def backfill(
    recording: Annotated[Path, typer.Argument(help="A recording, or a folder or archive of traces.", metavar="FILE")],
    *,
    name: Annotated[str | None, typer.Option(help="The `source` that its reports carry; that of the gap.")] = None,
    gap: Annotated[int | None, typer.Option(help="Number of a gap (`flight gaps`): its source and stretch.")] = None,
    since: Annotated[str | None, typer.Option("--from", help=_ISO)] = None,
    until: Annotated[str | None, typer.Option("--to", help=_ISO)] = None,
    wait: Annotated[float, typer.Option(help="Seconds that history may need.", min=1)] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Fills gaps of history from a recording. May be repeated."""
    from cli.progress import Progress
    from flight_platform.settings import Settings
    from streaming import backfill as filling
    from streaming.sources import open_source

    settings = Settings.read()
    wanted = _wanted(settings, name, gap, since, until)
    source = open_source("replay", settings, name=wanted["source"], file=recording)
    step = Progress(typer.get_text_stream("stderr")).step
    try:
        done = filling.backfill(settings, source, wanted["from_time"], wanted["to_time"], patience_s=wait, step=step)
    except KeyboardInterrupt:
        raise FlightError(
            "interrupted: what was fed stays; run it again to fill the rest and to mark the gaps"
        ) from None
    if as_json:
        say_json(asdict(done))
        return
    say(f"{done.reports} reports of {wanted['source']} lie in that stretch")
    if done.gaps:
        say(f"gaps filled: {', '.join(map(str, done.gaps))}")
    else:
        covers = f"the recording covers {done.first:%Y-%m-%d %H:%M} to {done.last:%H:%M} UTC" if done.first else ""
        say("no gap was filled" + (f"; {covers}" if covers else "; the recording is empty"))


def _wanted(
    settings: "Settings", name: str | None, gap: int | None, since: str | None, until: str | None
) -> dict[str, Any]:
    """Source and stretch: the options, or those of the gap."""
    if gap is not None:
        if name is not None or since is not None or until is not None:
            raise SettingsError("--gap says which source and stretch: leave --name, --from and --to out")
        return _of_gap(settings, gap)
    if name is None or since is None:
        raise SettingsError(
            "which stretch of which source? Give --gap N, or --name, --from and --to. "
            "Example: flight backfill roof.jsonl.gz --name roof --from 2026-01-31T12:00 --to 2026-01-31T13:00"
        )
    begins, ends = stretch(since, until)
    return {"source": name, "from_time": begins, "to_time": ends}


def _of_gap(settings: "Settings", number: int) -> dict[str, Any]:
    from cli.postgres import connected, query, rows

    with connected(settings.postgres_url.get_secret_value()) as connection:
        found = rows(connection, query("gaps_one"), {"gap_id": number})
    if not found:
        raise SettingsError(f"there is no gap {number}: `flight gaps` lists them")
    if found[0]["to_time"] is None:
        raise SettingsError(f"gap {number} is still open: fill it when its data come again")
    if not found[0]["source"]:
        raise SettingsError(f"gap {number} is of no one source: give --name, --from and --to")
    return found[0]
