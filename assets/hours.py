"""Asset `history/hours`: what each closed hour of history holds, and whether it is as expected.

Here hang the hourly checks, and not on the stream `history/positions`: that one is reported each minute, and its checks
would look unevaluated a minute later. What is expected, and what comes of it, is the matter of `checks/hours.py`; what
operators do about a red hour, of `quality.py`.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from assets.partitions import HOUR, HOURS, START, hour_of, key_of
from assets.previews import accepted
from assets.resources import Platform
from checks.hours import Judgement, judge_hour, last_closed, publish_and_settle
from checks.results import evaluation
from checks.thresholds import thresholds
from flight_platform.history.partitions import list_hours, start_of_hour
from flight_platform.history.progress import progress
from flight_platform.history.sql import query

KEY: Final = dg.AssetKey(["history", "hours"])
HOURS_A_RUN: Final = 48  # a run of so many full hours (2,000 positions a second) takes some 20 minutes


def _check(name: str, description: str) -> dg.AssetCheckSpec:
    # Not blocking: a red hour is an hour that needs somebody, not a run that failed. Compaction asks for the verdict.
    return dg.AssetCheckSpec(name, asset=KEY, partitions_def=HOURS, description=description)


with accepted():
    POSITIONS: Final = _check(
        "positions",
        "What must be known is; values are possible and look as they should; no (flight_id, time) is there twice; time "
        "does not run backwards; the speed between reports is possible. Thresholds: `checks/thresholds.toml`.",
    )
    VOLUME: Final = _check(
        "volume",
        "As many rows as in the same hour of the last weeks, or days. An hour without rows is **quiet** (as usual, and "
        "a source was heard), **empty** (not as usual, though a source was heard) or **missing** (nobody listened).",
    )
    REFUSED: Final = _check("refused", "The share of reports that were refused in that hour of the clock, by reason.")
    COMPLETE: Final = _check(
        "complete",
        "Proved complete: what Kafka took is judged and stored, once each. An error is a contradiction between the "
        "books; a warning is what is not read yet or lost for good. See `docs/quality.md`.",
    )
CHECKS: Final = (POSITIONS, VOLUME, REFUSED, COMPLETE)


def due_hours(connection: psycopg.Connection, materialized: Collection[str], now: datetime) -> list[datetime]:
    """The closed hours that are to be looked at, oldest first: whatever was missed is among them.

    Those that nobody has looked at, in Dagster or at all: since the platform listens also those of which nothing came.
    Those that were given rows since; a few late ones are not worth an hour's work each time. And young red ones.
    """
    last = last_closed(now)
    again = thresholds().hour.again
    since = connection.execute(query("hours_listening_since")).fetchone()
    first_heard = start_of_hour(since[0]) if since and since[0] else last + HOUR
    parameters = {
        "first": START,
        "since": max(first_heard, START),
        "last": last,
        "leaves": [hour for hour in list_hours(connection) if START <= hour <= last],
        "known": [hour_of(key) for key in materialized],
        "now": now,
        **again.model_dump(),
    }
    rows = connection.execute(query("hours_due"), parameters).fetchall()
    return [hour.astimezone(UTC) for hour, why in rows if why is not None]


def stretches(hours: Collection[datetime], longest: int = HOURS_A_RUN) -> list[tuple[datetime, datetime]]:
    """The hours as unbroken stretches of at most `longest` hours: one run each."""
    found: list[list[datetime]] = []
    for hour in sorted(hours):
        if found and hour - found[-1][-1] == HOUR and len(found[-1]) < longest:
            found[-1].append(hour)
        else:
            found.append([hour])
    return [(stretch[0], stretch[-1]) for stretch in found]


def summary(connection: psycopg.Connection, hour: datetime) -> dict[str, Any]:
    """An hour in figures: rows, flights, aircraft, first and last time, sources."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("hours_summary"), {"hour": hour}).fetchone()
    return row or {}


def results(judgement: Judgement) -> Iterator[dg.AssetCheckEvaluation]:
    """A judgement as the results of the four checks."""
    key = key_of(judgement.hour)
    docs = {"Data Docs": dg.MetadataValue.url(judgement.page)} if judgement.page else {}
    yield evaluation(POSITIONS, key, judgement.rows, more=docs)
    yield evaluation(VOLUME, key, [judgement.volume], more={"presence": str(judgement.presence)})
    yield evaluation(REFUSED, key, [judgement.refused])
    proof = judgement.proof
    yield evaluation(
        COMPLETE,
        key,
        [*judgement.books, *judgement.unproved],
        severity=dg.AssetCheckSeverity.ERROR if proof.faults else dg.AssetCheckSeverity.WARN,
        more={"as of": proof.as_of.isoformat() if proof.as_of else "unknown"},
    )


def _metadata(figures: dict[str, Any], judgement: Judgement) -> dict[str, Any]:
    first, last = figures["first_time"], figures["last_time"]
    docs = {"Data Docs": dg.MetadataValue.url(judgement.page)} if judgement.page else {}
    return {
        "dagster/row_count": figures["rows"],
        "flights": figures["flights"],
        "aircraft": figures["aircraft"],
        "first time": first.isoformat() if first else "none",
        "last time": last.isoformat() if last else "none",
        "sources": ", ".join(figures["sources"]) or "unknown",
        "presence": str(judgement.presence),
        "verdict": "as expected" if judgement.passed else "red",
        **docs,
    }


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        check_specs=CHECKS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetKey(["history", "positions"])],
        pool="history_hours",
        group_name="history",
        kinds={"postgres", "greatexpectations"},
        owners=["team:platform"],
        description=(
            "Each **closed hour** of history (UTC): how many positions, flights and aircraft, from when to when, from "
            "which sources. Materialised ten minutes after the hour has ended; hours that were missed, or loaded "
            "later, follow by themselves. Its checks make the hour's verdict: one that is **red** is an open incident "
            "until it is mended, or accepted by the job `accept_red_hour`."
        ),
    )
    def history_hours(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
        """Looks at each hour of the run; the results follow the materialisation that they are about."""
        settings = platform.settings()
        found: list[dg.AssetCheckEvaluation] = []
        with platform.connect(settings) as connection:
            read = progress(settings, connection)
            for key in context.partition_keys:
                judgement = judge_hour(settings, connection, hour_of(key), read, reported=True)
                context.add_asset_metadata(_metadata(summary(connection, hour_of(key)), judgement), partition_key=key)
                found += results(judgement)
                red = "; ".join(f"{failure['name']}: {failure['observed']}" for failure in judgement.failures)
                context.log.info("%s %s", key, f"is red: {red}" if red else "is as expected")
            publish_and_settle(settings, connection, datetime.now(UTC))
        yield dg.MaterializeResult(asset_key=KEY)
        # A check is an output of its own, which evaluations by partition do not stand for.
        for spec in CHECKS:
            yield dg.Output(None, output_name=spec.get_python_identifier())
        yield from found
