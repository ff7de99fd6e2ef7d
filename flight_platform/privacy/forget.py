"""`flight forget`: an aircraft is erased wherever the platform keeps it, and does not come back.

    rule on the block list ─► history's writer sees it ─► Postgres ─► archive ─► feeds see it ─► live, trackers ─► audit

First the rule, so that nothing enters behind our back; then what lies in the stores. What Kafka holds of it goes with
Kafka's retention, and nothing of that comes into a store again, since the rule stands at their doors. A step that
fails does not keep the others from their work: the audit says what was done, the error what is left, and to run it
again does no harm. Which data that reaches, and which not, stands in docs/compliance.md.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg

from flight_platform.errors import FlightError
from flight_platform.history.sql import query
from flight_platform.model import icao24_of
from flight_platform.names import Treatment
from flight_platform.privacy.archived import archived_flights_under, erase_archive
from flight_platform.privacy.audit import Action, record
from flight_platform.privacy.erasing import erase_derived, erase_positions, flights_under
from flight_platform.privacy.live import erase_live
from flight_platform.privacy.rules import SEEN_WITHIN_S, Rule, Subject, add_rules
from flight_platform.privacy.target import Span, Target
from flight_platform.privacy.tracking import tell_trackers_to_forget
from flight_platform.settings import Settings

Connection = psycopg.Connection[Any]
_SLACK_S: Final = 2.0  # beside a feed's interval: a look takes a moment


class NotAllForgottenError(FlightError):
    """Something of the aircraft is left in a store that did not answer."""


@dataclass(slots=True, kw_only=True)
class Forgotten:
    """What was erased: rows and copies by store. `left` says what could not be reached, and why."""

    rule_ids: list[int]
    addresses: list[str]
    counts: Counter[str] = field(default_factory=Counter)
    left: dict[str, str] = field(default_factory=dict)
    audit_id: int = 0


def forget(
    settings: Settings,
    connection: Connection,
    subject: Subject,
    *,
    reason: str,
    actor: str,
    told: Callable[[str], None] = lambda _: None,
    wait: Callable[[float], object] = time.sleep,
) -> Forgotten:
    """Erases a subject and keeps it out; `told` hears of each step. Safe to repeat, also after it was killed.

    Raises NotAllForgottenError where a store did not answer: all others are done by then.
    """
    told("the rule at the doors")
    addresses = _addresses(connection, subject)
    named = [Subject(icao24=icao24) for icao24 in addresses] or [subject]
    rules = [
        Rule(subject=one, treatment=Treatment.DROP, reason=f"forgotten: {reason}", address=one.icao24) for one in named
    ]
    done = Forgotten(rule_ids=add_rules(connection, rules, actor=actor), addresses=addresses)
    target = Target(addresses=frozenset(addresses), callsign=subject.callsign)
    try:
        _forget_in_stores(settings, connection, target, done, told, wait)
    finally:
        detail = {"rule_ids": done.rule_ids, "erased": dict(done.counts), "left": done.left}
        done.audit_id = record(connection, actor, Action.FORGET, str(subject), reason, detail)
    if done.left:
        left = "; ".join(f"{store}: {problem}" for store, problem in done.left.items())
        raise NotAllForgottenError(f"not all of {subject} is erased ({left}). What was reached is; run it again")
    return done


def _addresses(connection: Connection, subject: Subject) -> list[str]:
    """The addresses that it has now. A registration may pass to another aircraft; this one stays forgotten."""
    if subject.registration is None:
        return [subject.icao24] if subject.icao24 else []
    found = [
        icao24
        for (icao24,) in connection.execute(query("aircraft_of_registration"), {"registration": subject.registration})
    ]
    if not found:
        raise FlightError(
            f"no aircraft of registration {subject} is known: name the address, or load a table of aircraft that has "
            "it (flight reference load)"
        )
    return found


def _forget_in_stores(
    settings: Settings,
    connection: Connection,
    target: Target,
    done: Forgotten,
    told: Callable[[str], None],
    wait: Callable[[float], object],
) -> None:
    with connection.transaction():
        connection.execute(query("erase_barrier"))  # every batch that is written from now on has seen the rule
    told("history: in Postgres and in the archive")
    spans = target.spans(_flights(settings, connection, target, done))
    _erase_history(settings, connection, target, spans, done, told)
    told("what feeds had not seen yet")
    wait(_until_feeds_know(connection, done.rule_ids))
    with _reaching("live", done):
        done.counts["live"] = erase_live(settings, target)
    with _reaching("trackers", done):
        tell_trackers_to_forget(settings, _tracked(target, spans))


def _flights(settings: Settings, connection: Connection, target: Target, done: Forgotten) -> set[int]:
    """The flights that a callsign means."""
    if target.callsign is None:
        return set()
    flights = set(flights_under(connection, target.callsign))
    with _reaching("archive", done):
        flights |= archived_flights_under(connection, settings.archive, target.callsign)
    return flights


def _erase_history(
    settings: Settings,
    connection: Connection,
    target: Target,
    spans: list[Span],
    done: Forgotten,
    told: Callable[[str], None],
) -> None:
    erased: Counter[datetime] = Counter()
    for hour in erase_positions(connection, spans):
        erased[hour.hour] += hour.raw + hour.chunk_rows
        told(f"{hour.hour:%Y-%m-%d %H:00}: {erased[hour.hour]} positions")
    done.counts["positions"], done.counts["hours"] = erased.total(), len(erased)
    done.counts += erase_derived(connection, target, spans)
    with _reaching("archive", done):
        for day, rows in erase_archive(connection, settings.archive, spans, erased):
            done.counts["archived"] += rows
            told(f"archive of {day}: {rows} positions")


@contextmanager
def _reaching(store: str, done: Forgotten) -> Iterator[None]:
    """A store that does not answer is noted, and the others go on."""
    try:
        yield
    except FlightError as error:
        done.left[store] = str(error)


def _tracked(target: Target, spans: list[Span]) -> list[str]:
    """The addresses whose state trackers keep: of a callsign, those of its flights, since a state tells callsigns."""
    return sorted(target.addresses | {icao24_of(first >> 32) for first, last in spans if first == last})


def _until_feeds_know(connection: Connection, rule_ids: list[int]) -> float:
    """Seconds until every feed has looked at the list since the rules were made."""
    row = connection.execute(query("block_list_age"), {"rule_ids": rule_ids}).fetchone()
    age_s = float(row[0]) if row and row[0] is not None else 0.0
    return max(0.0, SEEN_WITHIN_S + _SLACK_S - age_s)
