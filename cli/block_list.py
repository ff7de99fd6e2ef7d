"""`flight block-list show|add|remove|import|export`: whom the platform must not show. Edits and exports are audited."""

import csv
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.operator import operator
from cli.output import say, say_json, table
from flight_platform.errors import InvalidIdentifierError, SettingsError
from flight_platform.names import Treatment

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import psycopg

    from flight_platform.privacy.rules import Rule, Subject

ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the list and in the audit.")]
ByOption = Annotated[str, typer.Option("--by", help="Who does it, for the audit.", default_factory=operator)]
Icao24Argument = Annotated[str | None, typer.Argument(metavar="[ICAO24]", help="The aircraft by its address.")]
RegistrationOption = Annotated[str | None, typer.Option(help="Or by its registration, as reference.aircraft knows it.")]
CallsignOption = Annotated[str | None, typer.Option(help="Or whatever flies under this callsign.")]
JSON = Annotated[bool, typer.Option("--json", help="For scripts.")]

_KEPT = "what came before stays as it is, visible"
_COLUMNS = ("icao24", "registration", "callsign", "action", "from", "until", "reason")


def show_rules(*, as_json: JSON = False) -> None:
    """Shows the list, with the address that each rule holds for now."""
    from flight_platform.privacy.rules import read_rules

    with _connected() as connection:
        rules = read_rules(connection)
    if as_json:
        say_json([_described(rule) for rule in rules])
        return
    rows = [[*_described(rule).values()] for rule in rules]
    head = ["id", "icao24", "registration", "callsign", "action", "from", "until", "reason", "address now"]
    say(table(head, rows) if rows else "the list is empty")


def add_rule(
    icao24: Icao24Argument = None,
    *,
    reason: ReasonOption,
    registration: RegistrationOption = None,
    callsign: CallsignOption = None,
    action: Annotated[Treatment, typer.Option(help="What happens to its reports.")] = Treatment.DROP,
    from_day: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC.")] = None,
    until_day: Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day, UTC.")] = None,
    by: ByOption,
) -> None:
    """Puts an aircraft on the list: feeds follow within ten seconds, history with its next batch."""
    from flight_platform.privacy.rules import Rule, Subject, add_rules, read_rules

    subject = Subject.of(icao24=icao24, registration=registration, callsign=callsign)
    since, until = (moment.date() if moment else None for moment in (from_day, until_day))
    if since and until and until < since:
        raise SettingsError(f"--until {until} is before --from {since}")
    rule = Rule(subject=subject, treatment=action, reason=reason, address=subject.icao24, since=since, until=until)
    with _connected() as connection:
        (number,) = add_rules(connection, [rule], actor=by)
        known = any(one.rule_id == number and one.address for one in read_rules(connection))
    say(f"rule {number}: {subject} is on the list ({action})")
    if subject.registration and not known:
        say("no aircraft of that registration is known yet; the rule holds as soon as reference.aircraft has it")
    if not rule.holds(datetime.now(UTC).date()):
        say(f"it is for reports that come {_days(since, until)} (UTC): today it keeps nothing out")
    say(f"{_KEPT}; to erase it, and to drop what comes: {_forgetting(subject)}")


def _days(since: date | None, until: date | None) -> str:
    return " ".join(f"{word} {day}" for word, day in (("from", since), ("until", until)) if day)


def _forgetting(subject: "Subject") -> str:
    """The command that erases what is kept of it."""
    option = "--registration " if subject.registration else "--callsign " if subject.callsign else ""
    return f'flight forget {option}{subject} --reason "..."'


def remove_rule(
    rule_id: Annotated[int, typer.Argument(metavar="ID", help="Number of the rule, as `block-list show` tells it.")],
    *,
    reason: ReasonOption,
    by: ByOption,
) -> None:
    """Takes a rule off the list."""
    from flight_platform.privacy.rules import remove_rule as take_off

    with _connected() as connection:
        rule = take_off(connection, rule_id, actor=by, reason=reason)
    if rule is None:
        raise InvalidIdentifierError(f"there is no rule {rule_id}; `flight block-list show` lists them")
    say(f"rule {rule_id}: {rule.subject} is off the list")


def import_rules(
    file: Annotated[Path, typer.Argument(help="CSV with a header; the file of FLIGHT_BLOCK_LIST is one.")],
    *,
    by: ByOption,
) -> None:
    """Puts the rules of a file on the list: all or none. What is there already stays as it is."""
    from flight_platform.privacy.rules import add_rules, parse_file, read_rules

    rules = [rule for _, rule in parse_file(file)]
    with _connected() as connection:
        before = {rule.rule_id for rule in read_rules(connection)}
        numbers = add_rules(connection, rules, actor=by)
    new = len(set(numbers) - before)
    say(f"{new} of {len(rules)} rules are new")
    if new:
        say(f"{_KEPT}; to erase it, one by one: flight forget")


def export_rules(*, reason: ReasonOption, by: ByOption) -> None:
    """Writes the list to standard output, as `import` reads it."""
    from flight_platform.privacy.audit import Action, record
    from flight_platform.privacy.rules import read_rules

    with _connected() as connection:
        rules = {rule.rule_id: rule for rule in read_rules(connection)}  # one row, whatever addresses it has now
        record(connection, by, Action.EXPORT, "block list", reason, {"rules": len(rules)})
    writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_described(rule) for rule in rules.values())


def _described(rule: "Rule") -> dict[str, str | int | date | None]:
    return {
        "id": rule.rule_id,
        "icao24": rule.subject.icao24,
        "registration": rule.subject.registration,
        "callsign": rule.subject.callsign,
        "action": rule.treatment.value,
        "from": rule.since,
        "until": rule.until,
        "reason": rule.reason,
        "address": rule.address,
    }


def _connected() -> "AbstractContextManager[psycopg.Connection[Any]]":
    from cli.postgres import connected
    from flight_platform.settings import Settings

    return connected(Settings.read().postgres_url.get_secret_value())
