"""The sensors: what the heartbeats tell, every five seconds, and what is missing, twice a minute.

    ops.heartbeats ──► watchman.go_round ──► ops.incidents, ops.outbox, ops.gaps, log
                             └──► events of the stream assets: one a minute, and each change of their check

Who is told, and of what else, is the matter of `alerts.py`: a receiver that hangs must not keep this from looking. They
hold no logic of their own: freshness and alerts are plain functions in `flight_platform/`. The sensors of Dagster
run every 5 s; an interval of 1 s means each of these rounds, one of 5 s would mean now each and now every other.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from assets.failing import SENSOR, TELLER, failing_ticks
from assets.hours import KEY as HOURS_KEY
from assets.hours import due_hours, stretches
from assets.partitions import key_of, range_tags
from assets.resources import Platform
from assets.schedules import AIRPORTS_KEY, is_busy, load_airports, look_at_hours
from assets.streams import ASSET_OF, CHECK, STREAMS, hops_of
from flight_platform.names import Stage
from flight_platform.watch import alerts, freshness, watchman
from flight_platform.watch.freshness import Hop, Sighting

_STARTED_AT: Final = datetime.now(UTC)
_COUNTED_TWICE: Final = frozenset({"batches", "late", "filled", "acknowledged"})  # beside its records, as by source
REPORT_EVERY_S: Final = 60.0
LOOK_AFTER_EVERY_S: Final = 30.0
RUNS_A_ROUND: Final = 4  # stretches of hours asked for at once; the next round asks for more
_STAGES: Final = {
    key: [s for s, k in ASSET_OF.items() if k == key and s is not Stage.SOURCE] for key in ASSET_OF.values()
}


@dataclass(slots=True, kw_only=True)
class Cursor:
    """What the heartbeat sensor remembers: the hops' pulses, and what it has told Dagster of each asset."""

    memory: freshness.Memory | None = None
    reported: dict[str, tuple[float, int]] = field(default_factory=dict)  # asset: when, and records up to then
    stopped: dict[str, list[str]] = field(default_factory=dict)  # asset: hops that its check says have stopped
    looked_after_at: float = 0.0  # when it was last asked whether other sensors fail
    nobody_is_told: bool = False  # since the sensor that tells people fails

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """From its text; begins anew where there is none or one of another version."""
        try:
            data = json.loads(text or "{}")
            reported = {asset: (float(at), int(records)) for asset, (at, records) in data["reported"].items()}
            return cls(
                memory=freshness.Memory.from_json(data["memory"]),
                reported=reported,
                stopped=data["stopped"],
                looked_after_at=float(data["looked_after_at"]),
                nobody_is_told=bool(data["nobody_is_told"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self) -> str:
        """As text."""
        told = asdict(replace(self, memory=None))
        return json.dumps(told | {"memory": self.memory and self.memory.to_json()})


@dg.sensor(
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reads the heartbeats of all processes: reports the streams once a minute, opens an incident for a hop that "
        "has stopped and closes it when it moves again, and writes down what was lost for good. Looks after the other "
        "sensors and schedules: one that fails each time is an incident."
    ),
)
def heartbeats(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One look at the data plane."""
    cursor = Cursor.read(context.cursor)
    settings = platform.settings()
    with platform.connect(settings) as connection:
        done = watchman.go_round(connection, settings, cursor.memory)
        sighting = done.sighting
        if sighting.now.timestamp() - cursor.looked_after_at >= LOOK_AFTER_EVERY_S:
            failing = failing_ticks(context.instance, settings, sighting.now)
            alerts.settle(connection, failing, alerts.receivers(settings), kind=SENSOR)
            freshness.forget_listening(connection, sighting.now)
            cursor.looked_after_at = sighting.now.timestamp()
            cursor.nobody_is_told = any(alert.key == f"{SENSOR}:{TELLER}" for alert in failing)
        if not cursor.nobody_is_told:  # else somebody outside has to call: see DagsterDown
            note = f"{len(done.changes.open)} open incidents"
            freshness.sign_of_life(connection, settings.instance, _STARTED_AT, note)
        freshness.sweep(connection, sighting.now)
    cursor.memory = sighting.memory
    events: list[dg.AssetCheckEvaluation | dg.AssetMaterialization] = [
        *asset_changes(sighting, cursor),
        *asset_reports(sighting, cursor),
    ]
    told = "; ".join(f"{stall.name}: {stall.detail}" for stall in sighting.stalls) or "all hops move"
    skip = None if events else dg.SkipReason(told)
    return dg.SensorResult(asset_events=events, skip_reason=skip, cursor=cursor.write())


def asset_changes(sighting: Sighting, cursor: Cursor) -> Iterator[dg.AssetCheckEvaluation]:
    """The check of each stream asset whose stopped hops are not those that were told last."""
    for spec in STREAMS:
        asset = spec.key.to_user_string()
        stopped = hops_of(spec.key, (stall.name for stall in sighting.stalls))
        if cursor.stopped.get(asset) == stopped:
            continue
        cursor.stopped[asset] = stopped
        causes = {s.name: _about(s) for s in sighting.stalls if s.name in stopped}
        yield dg.AssetCheckEvaluation(
            asset_key=spec.key,
            check_name=CHECK,
            passed=not stopped,
            description="; ".join(f"{name}: {about['cause']}" for name, about in causes.items()) or "it moves",
            metadata={
                "stopped": ", ".join(stopped) or "none",
                **{n: dg.MetadataValue.json(a) for n, a in causes.items()},
            },
        )


def _about(stall: freshness.Stall) -> dict[str, str | None]:
    last_good = stall.last_good.isoformat() if stall.last_good else None
    return {"since": stall.since.isoformat(), "last good value": last_good, "cause": stall.detail}


def asset_reports(sighting: Sighting, cursor: Cursor) -> Iterator[dg.AssetMaterialization]:
    """A materialisation of each stream whose processes live, have not stopped, and were not reported for a minute."""
    at = sighting.now.timestamp()
    for spec in STREAMS:
        asset = spec.key.to_user_string()
        hops = [hop for hop in sighting.hops.values() if hop.stage in _STAGES[spec.key] and hop.alive]
        before, records_before = cursor.reported.get(asset, (None, 0))
        if not hops or cursor.stopped.get(asset) or (before is not None and at - before < REPORT_EVERY_S):
            continue
        counters = _sum(hops)
        records = sum(n for outcome, n in counters.items() if outcome not in _COUNTED_TWICE and ":" not in outcome)
        cursor.reported[asset] = (at, records)
        metadata = _figures(hops, counters)
        if before is not None and records >= records_before:  # fewer: a process has begun to count anew
            metadata["records per second"] = round((records - records_before) / (at - before), 1)
        yield dg.AssetMaterialization(asset_key=spec.key, metadata=metadata)


def _sum(hops: list[Hop]) -> dict[str, int]:
    counters: dict[str, int] = {}
    for hop in hops:
        for outcome, count in hop.counters.items():
            counters[outcome] = counters.get(outcome, 0) + count
    return counters


def _by_source(hops: list[Hop]) -> dict[str, float]:
    """The newest event time of each source: a feed has one, a consumer those of all."""
    marks = {hop.source: hop.watermark for hop in hops if hop.source and hop.watermark is not None}
    for hop in hops:
        marks |= hop.watermarks
    return marks


def _figures(hops: list[Hop], counters: Mapping[str, int]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"processes": sum(hop.processes for hop in hops)}
    watermarks = [hop.watermark for hop in hops if hop.watermark is not None]
    if watermarks:
        metadata["watermark"] = dg.MetadataValue.timestamp(datetime.fromtimestamp(max(watermarks), UTC))
    lags = [hop.lag_records for hop in hops if hop.lag_records is not None]
    if lags:
        metadata["lag, records"] = sum(lags)
    marks = _by_source(hops)
    if marks:
        metadata["sources"] = ", ".join(sorted(marks))
        metadata["watermark by source"] = dg.MetadataValue.json(
            {source: datetime.fromtimestamp(at, UTC).isoformat() for source, at in sorted(marks.items())}
        )
    if counters:
        metadata["counters"] = dg.MetadataValue.json(dict(counters))
    return metadata


@dg.sensor(
    job=look_at_hours,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Asks for each closed hour that holds data and was not looked at: the last one, those of a downtime, those "
        "that were loaded later. Hours in a row make one run."
    ),
)
def closed_hours(context: dg.SensorEvaluationContext, platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Runs over the stretches of hours that are due."""
    if is_busy(context.instance, look_at_hours.name):
        yield dg.SkipReason("the last run has not ended")
        return
    now = datetime.now(UTC)
    with platform.connect() as connection:
        due = due_hours(connection, context.instance.get_materialized_partitions(HOURS_KEY), now)
    if not due:
        yield dg.SkipReason("every closed hour with data was looked at")
    for first, last in stretches(due)[:RUNS_A_ROUND]:
        yield dg.RunRequest(run_key=_key(f"{key_of(first)}..{key_of(last)}", now), tags=range_tags(first, last))


@dg.sensor(
    job=load_airports,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for what a fresh platform lacks and a schedule would bring only days later: the airports.",
)
def first_start(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """A run where the airports were never loaded."""
    if context.instance.get_latest_materialization_event(AIRPORTS_KEY) is not None:
        return dg.SkipReason("the airports are there")
    if is_busy(context.instance, load_airports.name):
        return dg.SkipReason("the airports are being loaded")
    return dg.RunRequest(run_key=_key("first airports", datetime.now(UTC)))


def _key(what: str, now: datetime) -> str:
    """A run key that asks once in ten minutes: with one for ever, a run that failed would never be tried again."""
    return f"{what} @{now:%Y-%m-%d %H}:{now.minute // 10}0"
