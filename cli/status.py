"""`flight status`: how every hop is, what is wrong, how much history there is, where everything listens.

The facts come from the heartbeats and the ledger in Postgres, and from the process manager where there is one. What
they mean (is this a stall?) is not judged here: open incidents are what the platform's own checks say.
"""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.output import age, fail, megabytes, say, say_json, table
from flight_platform.errors import FlightError, ServerUnavailableError

if TYPE_CHECKING:
    from rich.text import Text

    from flight_platform.settings import Settings

_BETWEEN_BEATS_S: Final = 1.3  # a process beats once a second: two beats lie this far apart at most
# A process that has not beaten for so long does not run. Dagster beats with its sensor: every 5 to 10 s.
_SILENT_S: Final = {"dagster": 30.0}
_SILENT_DEFAULT_S: Final = 5.0
_REFRESH_S: Final = 1.0
_RATE_SNAPSHOTS: Final = 10  # rates of a watch are over so many: a source that is polled each 5 s is no 0, 0, 0, 5000
_HOPS: Final = ("source", "feed", "track", "live", "history")
# What of the counters is the work done, by stage; the rest are refusals and repeats.
_WORK: Final = {
    "feed": ("accepted",),
    "track": ("passed",),
    "live": ("written",),
    "history": ("inserted", "rows"),
}


def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh in place until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Shows how every hop is: watermark, rate, lag, memory, and what is wrong."""
    from flight_platform.settings import Settings

    settings = Settings.read()
    if watch and not as_json:
        _watch(settings)
        return
    before = take(settings)
    if not before["problems"]:
        time.sleep(_BETWEEN_BEATS_S)
    facts = take(settings, before)
    if as_json:
        say_json(facts)
    else:
        say(render(facts))
    if facts["problems"]:
        for problem in facts["problems"]:
            fail(problem)
        raise typer.Exit(1)


def _watch(settings: "Settings") -> None:
    """One screen, refreshed in place; the last of it stays when it ends."""
    from rich.live import Live

    facts = take(settings)
    seen = deque([facts], maxlen=_RATE_SNAPSHOTS)
    try:
        with Live(_screen(facts), screen=True, auto_refresh=False, vertical_overflow="crop") as shown:
            while True:
                shown.update(_screen(facts), refresh=True)
                time.sleep(_REFRESH_S)
                facts = take(settings, next((old for old in seen if old["hops"]), None))
                seen.append(facts)
    except KeyboardInterrupt:
        say(render(facts))


def _screen(facts: dict[str, Any]) -> "Text":
    from rich.text import Text

    head = f"{facts['at']:%H:%M:%S} UTC, each second; Ctrl-C ends"
    text = Text("\n\n".join([head, *facts["problems"], render(facts)]), no_wrap=True, overflow="ellipsis")
    text.stylize("dim", 0, len(head))
    text.highlight_regex(r"(?m)^.*(silent for|does not answer|critical).*$", "red")
    text.highlight_regex(r"(?m)^.*(waiting for|standing by|warning).*$", "yellow")
    return text


def take(settings: "Settings", before: dict[str, Any] | None = None) -> dict[str, Any]:
    """A snapshot; with the one before it, hops have rates. What does not answer is said in `problems`."""
    from cli.addresses import addresses

    facts: dict[str, Any] = {
        "at": datetime.now(UTC),
        "hops": [],
        "watermarks": {},
        "incidents": [],
        "history": None,
        "programs": _programs(settings),
        "addresses": addresses(settings),
        "problems": [],
    }
    try:
        facts |= _from_postgres(settings)
    except ServerUnavailableError as error:
        facts["problems"].append(str(error))
    _add_rates(facts["hops"], before["hops"] if before else [])
    return facts


def _from_postgres(settings: "Settings") -> dict[str, Any]:
    import psycopg

    from cli.postgres import connected, query, rows

    with connected(settings.postgres_url.get_secret_value()) as connection:
        try:
            hops = rows(connection, query("status_heartbeats"))
            incidents = rows(connection, query("status_incidents"))
            history = rows(connection, query("status_history"))[0]
        except psycopg.errors.UndefinedTable as error:
            raise ServerUnavailableError("Postgres has no tables of the platform yet: run `flight migrate`") from error
    for hop in hops:
        marks: dict[str, int] = hop["watermarks"]
        hop["watermarks"] = {name: datetime.fromtimestamp(ms / 1000, UTC) for name, ms in marks.items()}
        hop["silent"] = hop["beat_age_s"] > _SILENT_S.get(hop["stage"], _SILENT_DEFAULT_S)
        hop["rate_per_s"] = None
    return {"hops": hops, "watermarks": watermarks(hops), "incidents": incidents, "history": history}


def _add_rates(hops: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    """Records a second between two beats; kept from the last snapshot where no new beat has come."""
    earlier = {(h["stage"], h["instance"], h["source"], h["started_at"]): h for h in before}
    for hop in hops:
        old = earlier.get((hop["stage"], hop["instance"], hop["source"], hop["started_at"]))
        if old is None or hop["silent"]:
            continue
        seconds = (hop["beat_at"] - old["beat_at"]).total_seconds()
        if seconds <= 0:
            hop["rate_per_s"] = old["rate_per_s"]
        else:
            hop["rate_per_s"] = round((work_done(hop) - work_done(old)) / seconds, 1)


def work_done(hop: dict[str, Any]) -> int:
    """How many records a process has passed on since its start."""
    counters: dict[str, int] = hop["counters"]
    names = [name for name in _WORK.get(hop["stage"], ()) if name in counters]
    return sum(counters[name] for name in names) if names else sum(counters.values())


def _programs(settings: "Settings") -> list[dict[str, Any]]:
    from cli.processes import resident_bytes
    from cli.supervisor import Supervisor

    supervisor = Supervisor(settings)
    try:
        states = supervisor.states()
    except (OSError, FlightError):
        return []
    return [asdict(state) | {"rss_bytes": resident_bytes(state.pid)} for state in states]


def render(facts: dict[str, Any]) -> str:
    """The snapshot for people. Of what does not answer it says nothing: `problems` do."""
    parts: list[str] = []
    if not facts["problems"]:
        parts.append(_hops(facts["hops"]))
        parts.append(_sources(facts["watermarks"], facts["at"]))
        if facts["history"] is not None:
            parts.append(_history(facts["history"], facts["at"]))
        parts.append(_incidents(facts["incidents"], facts["at"]))
    if facts["programs"]:
        parts.append(_program_table(facts["programs"]))
    parts.append("\n".join(f"{name:<13} {address}" for name, address in facts["addresses"].items()))
    return "\n\n".join(part for part in parts if part)


def _hops(hops: list[dict[str, Any]]) -> str:
    if not hops:
        return "no process has left a heartbeat: nothing runs (start it with `flight up`)"
    head = ["hop", "process", "source", "watermark", "rate", "lag", "memory", "note"]
    return table(head, [_hop_row(hop) for hop in hops])


def _hop_row(hop: dict[str, Any]) -> list[Any]:
    rate = hop["rate_per_s"]
    note = f"silent for {age(hop['beat_age_s'])}" if hop["silent"] else hop["note"]
    return [
        hop["stage"],
        hop["instance"],
        hop["source"] or "",
        age(hop["watermark_age_s"]) + (" ago" if hop["watermark_age_s"] is not None else ""),
        None if rate is None else f"{rate:,.0f}/s",
        hop["lag_records"],
        megabytes(hop["rss_bytes"]),
        note,
    ]


def watermarks(hops: Iterable[dict[str, Any]]) -> dict[str, dict[str, datetime]]:
    """The newest event time of each source at each hop; at hop `source` it is the source's own clock."""
    found: dict[str, dict[str, datetime]] = {}

    def tell(source: str, stage: str, moment: datetime | None) -> None:
        marks = found.setdefault(source, {})
        if moment is not None:
            marks[stage] = max(moment, marks.get(stage, moment))

    for hop in hops:
        if hop["stage"] == "feed":
            tell(hop["source"], "source", hop["source_clock"])
            tell(hop["source"], "feed", hop["watermark"])
        for source, moment in hop["watermarks"].items():
            tell(source, hop["stage"], moment)
    return found


def _sources(found: dict[str, dict[str, datetime]], now: datetime) -> str:
    """How far behind the present each hop is with each source."""
    if not found:
        return ""

    def behind(moment: datetime | None) -> str | None:
        return None if moment is None else age((now - moment).total_seconds())

    listed = [[source, *(behind(marks.get(hop)) for hop in _HOPS)] for source, marks in sorted(found.items())]
    return table(["watermark of", *_HOPS], listed)


def _history(history: dict[str, Any], now: datetime) -> str:
    if not history["rows"]:
        return f"history: empty, {history['partitions']} partitions made"
    span = f"from {history['oldest']:%Y-%m-%d %H:%M} to {history['newest']:%Y-%m-%d %H:%M} UTC"
    newest = age((now - history["newest"]).total_seconds())
    hours = "hour" if history["hours"] == 1 else "hours"
    quarantined = f", {history['quarantined']} in quarantine" if history["quarantined"] else ""
    return (
        f"history: {history['rows']:,} positions in {history['hours']} {hours}, {span} (newest {newest} ago), "
        f"{history['partitions']} partitions made{quarantined}"
    )


def _incidents(incidents: list[dict[str, Any]], now: datetime) -> str:
    if not incidents:
        return "incidents: none open"
    lines = []
    for incident in incidents:
        lasts = age((now - incident["since"]).total_seconds())
        lines.append(
            f"  {incident['severity']:<8} {incident['summary']} ({lasts}, since {incident['since']:%H:%M:%S} UTC)"
        )
    return "\n".join([f"incidents: {len(incidents)} open", *lines])


def _program_table(programs: list[dict[str, Any]]) -> str:
    head = ["program", "state", "up", "memory", "pid", ""]
    listed = [
        [p["name"], p["state"].lower(), age(p["uptime_s"]), megabytes(p["rss_bytes"]), p["pid"], p["problem"]]
        for p in programs
    ]
    total = sum(p["rss_bytes"] or 0 for p in programs)
    return table(head, listed) + f"\n{len(programs)} programs, {megabytes(total)} resident"
