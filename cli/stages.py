"""`flight feed|track|live|history|serve`: runs one process in the foreground, until Ctrl-C or SIGTERM.

Options become arguments here and nothing else: what a source can do, and what it refuses, is the source's matter.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from flight_platform.errors import SettingsError


def feed(
    source: Annotated[str, typer.Argument(help="opensky, readsb, sbs, beast or replay", metavar="SOURCE")],
    recording: Annotated[Path | None, typer.Argument(help="A recording, as with --file.", metavar="[FILE]")] = None,
    *,
    name: Annotated[str | None, typer.Option(help="The name that its reports carry as `source`.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the source is: http://..., tcp://host:port.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file instead of a server.")] = None,
    bbox: Annotated[str | None, typer.Option(help="Only inside west,south,east,north (degrees).")] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between two polls.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Time zone of a source that names none, as Asia/Tokyo.")] = None,
    start: Annotated[str | None, typer.Option(help="Beast file: when its first frame came, ISO 8601, UTC.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Beast: latitude,longitude of the receiver; places aircraft on the ground.")
    ] = None,
    clock: Annotated[
        str | None, typer.Option(help="Beast: the receiver's timestamps, `12mhz` (default) or `gps` (Radarcape).")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Replay: times real time; without it, as fast as it goes.")
    ] = None,
    rebase: Annotated[str | None, typer.Option(help="Replay: `now` starts it now, `end-now` lets it end now.")] = None,
    shift: Annotated[float | None, typer.Option(help="Replay: move all times by so many seconds.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Replay: start again at its end.")] = False,
    token_url: Annotated[str | None, typer.Option(help="OpenSky: where tokens are had.")] = None,
    limit: Annotated[int | None, typer.Option(help="End after so many reports.", min=1)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Needs no server: positions as NDJSON here, refusals on standard error.")
    ] = False,
    backfill: Annotated[bool, typer.Option("--backfill", help="Take reports of any age.")] = False,
) -> None:
    """Feeds the reports of a source into the platform."""
    if recording is not None and file is not None:
        raise SettingsError("a recording was named twice: give FILE or --file, not both")
    from flight_platform.settings import Settings
    from streaming import feed as feeding
    from streaming.sources import open_source

    settings = Settings.read()
    options: dict[str, Any] = {
        "bbox": bbox,
        "interval": interval,
        "timezone": timezone,
        "start": start,
        "reference": reference,
        "clock": clock,
        "speed": speed,
        "rebase": rebase,
        "shift": shift,
        "loop": loop or None,
        "token_url": token_url,
        "limit": limit,
    }
    given = {key: value for key, value in options.items() if value is not None}
    opened = open_source(source, settings, name=name, url=url, file=recording or file, **given)
    if dry_run:
        feeding.dry_run(settings, opened)
    else:
        feeding.run(settings, opened, backfill=backfill)


def track() -> None:
    """Gives every report its flight: judges, mints flight ids, passes on."""
    from flight_platform.settings import Settings
    from streaming import track as tracking

    tracking.run(Settings.read())


def live() -> None:
    """Keeps the live store: the newest position of every flight of the last minute."""
    from flight_platform.settings import Settings
    from streaming import live as keeping

    keeping.run(Settings.read())


def history() -> None:
    """Writes history: every position once."""
    from flight_platform.settings import Settings
    from streaming import history as writing

    writing.run(Settings.read())


def serve_active() -> None:
    """Runs the active API: who is in the air now."""
    from flight_platform.settings import Settings
    from serving.active import run_active

    run_active(Settings.read())


def serve_history() -> None:
    """Runs the history API: who was where, when."""
    from flight_platform.settings import Settings
    from serving.history import run_history

    run_history(Settings.read())
