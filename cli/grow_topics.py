"""`flight topics grow`: more partitions for the topics while everything runs. How, is in `streaming/growing.py`."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from cli.output import say, say_json


def grow_topics(
    *,
    partitions: Annotated[int, typer.Option(help="How many each of the three data topics shall have.", min=1)],
    patience: Annotated[float, typer.Option(help="Seconds that each step may take others.", min=1)] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts; the steps go to standard error.")] = False,
) -> None:
    """Gives the topics more partitions while everything runs: feeds hold what comes for some 15 seconds.

    Nothing is lost, nothing comes twice and no flight changes its id. Killed in the middle, the same command goes on
    where it was. Kafka never takes a partition away again.
    """
    from cli.progress import Progress
    from flight_platform.settings import Settings
    from streaming.growing import grow

    progress = Progress(sys.stderr if as_json else sys.stdout)
    grown = grow(Settings.read(), partitions, progress, patience_s=patience)
    if as_json:
        say_json(asdict(grown))
    elif grown.held_s:
        say(f"{grown.before} partitions have become {grown.partitions}; the state of {grown.moved} aircraft has moved,")
        say(f"and feeds held for {grown.held_s:.0f} s. `flight status` shows how they catch up")
    else:
        say(f"the topics have {grown.partitions} partitions already")
