"""`flight reference`: what changes slowly and others publish: aircraft, airports, runways."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, say_json, table


def load(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Mictronics' aircrafts.json, OpenSky's CSV, or OurAirports' runways.csv"),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as JSON.")] = False,
) -> None:
    """Replaces the aircraft, or the runways, by those of a file; which of them, its first line tells."""
    import sys

    from cli.postgres import connected
    from cli.progress import Progress
    from flight_platform.reference.tables import load_file
    from flight_platform.settings import Settings

    with (
        connected(Settings.read().postgres_url.get_secret_value()) as connection,
        Progress(sys.stderr if as_json else sys.stdout).step(f"loading {file.name}"),
    ):
        loaded = load_file(connection, file)
    if as_json:
        say_json(asdict(loaded))
    else:
        say(f"{loaded.table} holds {loaded.rows:,} rows of {loaded.provider} now")


def show(*, as_json: Annotated[bool, typer.Option("--json", help="The rows as JSON.")] = False) -> None:
    """Shows how much each reference table holds."""
    from cli.postgres import connected, query, rows
    from flight_platform.settings import Settings

    with connected(Settings.read().postgres_url.get_secret_value()) as connection:
        found = rows(connection, query("reference_counts"))
    if as_json:
        say_json(found)
    else:
        say(table(["table", "rows", "provider", "loaded"], [list(row.values()) for row in found]))
