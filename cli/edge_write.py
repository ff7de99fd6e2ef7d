"""`flight edge write`: what HAProxy reads where it runs elsewhere than beside the APIs (containers, another machine).

`flight up` writes the same for its own edge.
"""

from dataclasses import replace
from typing import Annotated, Final

import typer

from cli.output import say
from flight_platform.errors import SettingsError

_LOOPBACK: Final = "127.0.0.1"


def write(
    *,
    active: Annotated[list[str], typer.Option(metavar="HOST", help="Where an active API runs; once for each.")],
    history: Annotated[list[str], typer.Option(metavar="HOST", help="Where a history API runs; once for each.")],
    dagster: Annotated[str, typer.Option(metavar="HOST", help="Where Dagster's pages are.")] = _LOOPBACK,
    resolver: Annotated[
        str | None,
        typer.Option(metavar="IP:PORT", help="A name server, asked again and again: hosts may change their address."),
    ] = None,
) -> None:
    """Writes HAProxy's configuration, a certificate and the answers to errors, below `FLIGHT_VAR`."""
    from cli.edge import Upstreams, configure
    from cli.programs import instances
    from flight_platform.settings import Settings

    if len(active) != len(history):
        raise SettingsError("as many --active as --history: each instance has one of both")
    settings = Settings.read()
    first = instances(settings)[0]
    listed = tuple(
        replace(first, number=number, active_host=live_host, history_host=history_host)
        for number, (live_host, history_host) in enumerate(zip(active, history, strict=True), 1)
    )
    say(str(configure(settings, Upstreams(instances=listed, dagster_host=dagster, resolver=resolver))))
