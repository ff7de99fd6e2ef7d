"""`flight forget`: an aircraft is erased wherever the platform keeps it, and does not come back."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.block_list import ByOption, CallsignOption, RegistrationOption
from cli.output import say, say_json
from flight_platform.errors import FlightError

if TYPE_CHECKING:
    from flight_platform.privacy.rules import Subject


class NotConfirmedError(FlightError):
    """Somebody thought better of it."""


def forget(
    icao24: Annotated[str | None, typer.Argument(metavar="[ICAO24]", help="The aircraft by its address.")] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    registration: RegistrationOption = None,
    callsign: CallsignOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    by: ByOption,
) -> None:
    """Erases an aircraft from live, history, archive and the trackers' state, and keeps it out from then on.

    What Kafka and backups hold of it goes with their retention: docs/compliance.md says when.
    """
    from flight_platform.privacy.rules import Subject

    subject = Subject.of(icao24=icao24, registration=registration, callsign=callsign)
    if not yes and not typer.confirm(f"Erase all that is kept of {subject}? It cannot be brought back", err=True):
        raise NotConfirmedError("nothing was changed: it needs a yes (for scripts: --yes)")
    _forget(subject, reason=reason, by=by, as_json=as_json)


def _forget(subject: "Subject", *, reason: str, by: str, as_json: bool) -> None:
    from cli.postgres import connected
    from flight_platform.privacy.forget import forget as forget_everywhere
    from flight_platform.settings import Settings

    settings = Settings.read()

    def told(step: str) -> None:
        if not as_json:
            say(f"  {step} ...")

    with connected(settings.postgres_url.get_secret_value()) as connection:
        done = forget_everywhere(settings, connection, subject, reason=reason, actor=by, told=told)
    if as_json:
        say_json(
            {
                "rule_ids": done.rule_ids,
                "addresses": done.addresses,
                "erased": dict(done.counts),
                "audit_id": done.audit_id,
            }
        )
        return
    erased = ", ".join(f"{count} {store}" for store, count in done.counts.items() if count) or "nothing was there"
    rules = ", ".join(map(str, done.rule_ids))
    say(f"{subject} is forgotten: {erased}. Rule {rules} keeps it out; audit {done.audit_id}")
