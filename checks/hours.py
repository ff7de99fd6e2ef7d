"""The judgement of one closed hour, from all sides: its rows, how many they are, what was refused, whether it is whole.

    ops.judged_hour ──► rows (Great Expectations) ──┐
    usual rows, who listened ──► presence, volume ──┼──► red or not: recorded, and its incident opened or closed
    dead letters of that hour ──► refused ──────────┤
    the books ──► proof ────────────────────────────┘  (what is not proved yet is told, and is not red by that)

Each part is its own module; here they are put together. Nothing here knows Dagster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaException
from psycopg.rows import dict_row

from checks import data_docs
from checks.expectations import Verdict
from checks.positions import judge_rows
from checks.reconciliation import contradictions, unproved
from checks.thresholds import Hour, thresholds
from checks.volume import Usual, bounds, presence, usual
from flight_platform.history.hour_alerts import settle_hours
from flight_platform.history.partitions import CLOSING, HOUR, start_of_hour
from flight_platform.history.progress import Progress
from flight_platform.history.reconciliation import Proof, prove_hours, was_heard
from flight_platform.history.refusals import records_between, refused_between
from flight_platform.history.sql import query
from flight_platform.history.verdicts import Presence, list_verdicts, record_verdict
from flight_platform.names import TOPIC_POSITIONS
from flight_platform.settings import Settings
from flight_platform.watch.alerts import Changes

_LOCK: Final = 0x6A75646765  # of ops.judged_hour, for the session ("judge" in ASCII)
_SORT_MEMORY: Final = "128MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What was found of an hour. It passes where no verdict on rows, volume, refusals or books fails."""

    hour: datetime
    presence: Presence
    rows: list[Verdict]
    volume: Verdict
    refused: Verdict
    books: list[Verdict]  # contradictions
    unproved: list[Verdict]  # told, and not red by that
    proof: Proof
    page: str | None  # address of its Data Docs

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What makes it red."""
        parts = {"positions": self.rows, "volume": [self.volume], "refused": [self.refused], "complete": self.books}
        return [{"check": part, **v.as_failure()} for part, verdicts in parts.items() for v in verdicts if not v.passed]

    @property
    def passed(self) -> bool:
        """Whether the hour is as expected."""
        return not self.failures


def judge_hour(
    settings: Settings,
    connection: psycopg.Connection[Any],
    hour: datetime,
    progress: Progress,
    *,
    reported: bool = False,
) -> Judgement:
    """Judges an hour and records the verdict. `progress` says how far Kafka is read, and was asked for just before.

    `reported` says that the caller itself shows the verdict in Dagster.
    """
    limits, hour = thresholds().hour, start_of_hour(hour)
    (proof,) = prove_hours(connection, settings.topic(TOPIC_POSITIONS), [hour], progress)
    known, listened = _circumstances(connection, hour, limits)
    meaning = presence(proof.rows, known, limits.volume, listened=listened)
    least, most = bounds(known, limits.volume)
    rows, page = list[Verdict](), None
    if proof.rows:
        url, title = settings.postgres_url.get_secret_value(), f"positions {hour:%Y-%m-%d %H:00} UTC"
        with _laid_out(connection, hour, limits.motion.position_error_nm):
            rows, html = judge_rows(url, title, limits, least_rows=least, most_rows=most)
        label, good = f"{hour:%Y-%m-%d %H:00} UTC", all(verdict.passed for verdict in rows)
        page = data_docs.publish(settings, data_docs.hour_page(hour), label, html, passed=good)
    judgement = Judgement(
        hour=hour,
        presence=meaning,
        rows=rows,
        volume=_volume(proof.rows, meaning, known, least, most),
        refused=_refused(settings, connection, hour, limits),
        books=contradictions(proof),
        unproved=unproved(proof),
        proof=proof,
        page=page,
    )
    record_verdict(
        connection,
        hour,
        passed=judgement.passed,
        rows=proof.rows,
        failures=judgement.failures,
        presence=meaning,
        reported=reported,
    )
    return judgement


def _circumstances(connection: psycopg.Connection[Any], hour: datetime, limits: Hour) -> tuple[Usual | None, bool]:
    """How many rows such an hour usually has, and whether somebody listened through all of it."""
    arguments = {"hour": hour, "weeks": limits.volume.weeks, "days": limits.volume.days}
    with connection.cursor(row_factory=dict_row) as cursor:
        before = cursor.execute(query("hours_usual"), arguments).fetchone() or {"weeks": [], "days": []}
    return usual(before["weeks"], before["days"], limits.volume), was_heard(connection, hour)


@contextmanager
def _laid_out(connection: psycopg.Connection[Any], hour: datetime, position_error_nm: float) -> Iterator[None]:
    """The hour in ops.judged_hour for as long as it is judged; nobody else judges meanwhile."""
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        connection.execute(query("judged_hour_clear"))
        with connection.transaction():
            connection.execute("SELECT set_config('work_mem', %s, true)", [_SORT_MEMORY])
            parameters = {"from_time": hour, "to_time": hour + HOUR, "position_error_nm": position_error_nm}
            connection.execute(query("judged_hour_fill"), parameters, prepare=False)
        yield
        connection.execute(query("judged_hour_clear"))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _volume(rows: int, meaning: Presence, known: Usual | None, least: int, most: int | None) -> Verdict:
    as_usual = rows >= least and (most is None or rows <= most)
    told = {
        Presence.FILLED: f"{rows} rows",
        Presence.QUIET: "no rows, and a source was heard all the time: a quiet hour",
        Presence.EMPTY: "no rows, though a source was heard all the time",
        Presence.MISSING: "no rows, and nobody is known to have listened",
    }[meaning]
    basis = f"usual are {known.rows:g} ({known.basis})" if known else "too few hours before it to know what is usual"
    passed = as_usual if meaning is Presence.FILLED else meaning is Presence.QUIET
    name = "the hour is not missing" if meaning is Presence.MISSING else "there are as many rows as usual"
    return Verdict(name=name, passed=passed, observed=f"{told}; {basis}")


def _refused(settings: Settings, connection: psycopg.Connection[Any], hour: datetime, limits: Hour) -> Verdict:
    """The share that was refused in that hour of the wall clock: what cannot be decoded has no other time."""
    name, end = "few reports are refused", hour + HOUR
    taken = records_between(connection, hour, end)
    if not taken or datetime.now(UTC) - end > timedelta(days=14):  # Kafka forgets dead letters after so long
        return Verdict(
            name=name, passed=True, observed="nothing came in during that hour of the clock, as far as known"
        )
    try:
        reasons = refused_between(settings, hour, end)
    except KafkaException as error:
        return Verdict(name=name, passed=True, observed="", problem=f"not told: Kafka did not answer ({error.args[0]})")
    refused = reasons.total()
    share = refused / (refused + taken)
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()) or "none"
    passed = share <= limits.refused.share or refused + taken < limits.refused.least_reports
    observed = f"{share:.2%} of {refused + taken} reports ({told})"
    return Verdict(name=name, passed=passed, observed=observed, unexpected=refused)


def last_closed(now: datetime) -> datetime:
    """The newest hour that is closed: event time is past its end by more than the lateness of the stream."""
    return start_of_hour(now - CLOSING) - HOUR


def settle(settings: Settings, connection: psycopg.Connection[Any], now: datetime) -> tuple[Changes, Changes]:
    """Opens and closes the incidents that verdicts are the reason of: red hours, and hours that stay raw too long."""
    oldest_raw = timedelta(hours=thresholds().compaction.oldest_raw_h)
    return settle_hours(connection, settings, now, oldest_raw=oldest_raw)


def publish_and_settle(settings: Settings, connection: psycopg.Connection[Any], now: datetime) -> str:
    """What follows from new verdicts: incidents, and the list in Data Docs. Returns the list's address."""
    settle(settings, connection, now)
    return data_docs.publish_index(settings, list_verdicts(connection, now - timedelta(days=data_docs.KEPT_DAYS), now))
