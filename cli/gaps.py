"""`flight gaps`: for each hour whether it is proved complete and, if not, what is missing; and the known losses.

The argument is in docs/quality.md, the proof in `flight_platform/history/reconciliation.py`. It changes nothing.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import typer

from cli.hours import JSON, FromOption, ToOption, hours_between, stretch
from cli.output import say, say_json, table

if TYPE_CHECKING:
    from flight_platform.history.reconciliation import Proof

_PATIENCE_S: Final = 2.0  # what is done sooner needs no remarks


def gaps(*, since: FromOption = "24h", until: ToOption = None, as_json: JSON = False) -> None:
    """Proves hours complete, or says what is missing; lists losses of data. Exit code 1 where an hour is not whole."""
    from cli.postgres import connected, query, rows
    from flight_platform.settings import Settings

    settings = Settings.read()
    first, end = stretch(since, until)
    with connected(settings.postgres_url.get_secret_value()) as connection:
        proofs = _prove(settings, connection, first, end, progress_shown=not as_json)
        losses = rows(connection, query("gaps_between"), {"from_time": first, "to_time": end})
    if as_json:
        say_json({"hours": [as_plain(proof) for proof in proofs], "gaps": losses})
    else:
        _say(proofs, losses)
    if not all(proof.complete for proof in proofs):
        raise typer.Exit(1)


def _prove(settings: Any, connection: Any, first: datetime, end: datetime, *, progress_shown: bool) -> "list[Proof]":
    """Hours that have ended and hold data, or should: those since the platform listens, and earlier ones with rows."""
    from cli.postgres import query
    from flight_platform.history.partitions import HOUR, start_of_hour
    from flight_platform.history.progress import progress
    from flight_platform.history.reconciliation import prove_hours
    from flight_platform.names import TOPIC_POSITIONS

    last = min(start_of_hour(end - timedelta(microseconds=1)), start_of_hour(datetime.now(UTC)) - HOUR)
    wanted = hours_between(start_of_hour(first), last) if last >= first else []
    known = connection.execute(query("hours_expected"), {"hours": wanted}).fetchall()
    read = progress(settings, connection)
    began = time.monotonic()
    proofs: list[Proof] = []
    for number, (hour,) in enumerate(known, 1):
        proofs += prove_hours(connection, settings.topic(TOPIC_POSITIONS), [hour], read)
        if progress_shown and time.monotonic() - began > _PATIENCE_S and sys.stderr.isatty():
            print(f"\r{number} of {len(known)} hours", end="", file=sys.stderr, flush=True)
    return proofs


def as_plain(proof: "Proof") -> dict[str, Any]:
    """A proof for scripts."""
    return {
        "hour": proof.hour,
        "complete": proof.complete,
        "as_of": proof.as_of,
        "rows": proof.rows,
        "counted": proof.counted,
        "faults": [fault.seen for fault in proof.faults],
        "missing": list(proof.missing),
    }


def _say(proofs: "list[Proof]", losses: list[dict[str, Any]]) -> None:
    lines = [
        [
            f"{proof.hour:%Y-%m-%d %H:00}",
            "complete" if proof.complete else ("DAMAGED" if proof.faults else "not proved"),
            proof.rows,
            proof.counted,
            "; ".join([*(fault.seen for fault in proof.faults), *proof.missing]),
        ]
        for proof in proofs
    ]
    say(table(["hour (UTC)", "", "rows", "given", "what is missing"], lines))
    as_of = min((proof.as_of for proof in proofs if proof.as_of), default=None)
    whole = sum(proof.complete for proof in proofs)
    say(f"({whole} of {len(proofs)} hours complete{f', as of {as_of:%Y-%m-%d %H:%M:%S} UTC' if as_of else ''})")
    if losses:
        say()
        say(table(["lost by", "source", "from (UTC)", "to", "why", ""], [_loss(loss) for loss in losses]))


def _loss(loss: dict[str, Any]) -> list[str]:
    from_time, to_time = (at and f"{at:%Y-%m-%d %H:%M:%S}" for at in (loss["from_time"], loss["to_time"]))
    state = "filled" if loss["filled_at"] else "lost"
    return [loss["hop"], loss["source"], from_time or "", to_time or "still open", loss["reason"], state]
