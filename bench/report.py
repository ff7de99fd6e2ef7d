"""What a run tells: a table for people, ratios first, and a JSON file for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.measure import Outcome

RESULTS = Path(__file__).parent / "results"
FEED_AND_TRACK_US = 15.0


def ratio(value: float | None) -> str:
    """A ratio with as many digits as it is worth."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def write(results: dict[str, Any], folder: Path = RESULTS) -> Path:
    """The JSON file of a run, named for when it began (UTC)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}{'-quick' if results.get('quick') else ''}.json"
    path.write_text(json.dumps(results, indent=1, default=_plain) + "\n")
    return path


def _plain(value: object) -> object:
    if isinstance(value, Outcome):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} in the results")


def show(results: dict[str, Any], console: Console) -> None:
    """All tables of a run."""
    machine = results["machine"]
    loads = f"load {results['load_before'][0]} before, {results['load_after'][0]} after"
    console.print(f"\n{machine['cores']} cores, {machine['processor']}, {loads}; tracks: {results['tracks']}")
    if results["load_before"][0] > 1:
        console.print("others were at work on this machine: ratios hold better than rates and latencies do")
    for table in _tables(results):
        console.print(table)
    goals = _table("Goals (reported, never enforced)", "goal", "wanted", "found", "")
    for name, wanted, found, met in goals_of(results):
        goals.add_row(name, wanted, found, "met" if met else "missed")
    console.print(goals)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 1 else "right", overflow="fold")
    return table


def _tables(results: dict[str, Any]) -> Iterator[Table]:
    stages: dict[str, list[Outcome]] = results.get("stages", {})
    if stages:
        table = _table("One stage at a time", "stage: way", "of limit", "x naive", "reports/s", "us here", "us servers")
        for stage, outcomes in stages.items():
            for o in outcomes:
                cells = (ratio(o.of_limit), ratio(o.of_naive), f"{o.rate:,.0f}", f"{o.client_us:.1f}")
                table.add_row(
                    f"{stage} | {o.role}: {o.name}", *cells, f"{o.server_us:.1f}", end_section=o is outcomes[-1]
                )
        yield table
    if results.get("compaction"):
        yield _compaction(results["compaction"])
    if results.get("together"):
        yield _together(results["together"])
    if results.get("latency"):
        yield _latency("From received_at to visible, ms", results["latency"])
    if results.get("variants"):
        yield _latency("The same with one thing changed", results["variants"])
    if results.get("scaling"):
        yield _scaling(results["scaling"])
    if results.get("shards"):
        table = _table("Live shards", "live server", "shards", "of limit", "ours /s", "limit /s", "live p99 ms")
        for row in results["shards"]:
            p99 = str(row["latency"]["live"]["p99"]) if "latency" in row else ""
            cells = (str(row["shards"]), ratio(row["of_limit"]), f"{row['ours_per_s']:,}", f"{row['limit_per_s']:,}")
            table.add_row(row["live_server"], *cells, p99)
        yield table
    if results.get("push"):
        yield _push(results["push"])
    for told in results.get("serving", []):
        yield _serving(told)
        yield _exports(told)
    if results.get("frames"):
        yield _frames(results["frames"])


def _compaction(rows: list[dict[str, Any]]) -> Table:
    table = _table("History at rest", "", *(f"reports {row['step_s']} s apart" for row in rows))
    for form in rows[0]["bytes"]:
        of_raw = [row["bytes"]["raw"] / row["bytes"][form] for row in rows]
        cells = (f"{row['bytes'][form]:.1f} (1/{n:.1f})" for row, n in zip(rows, of_raw, strict=True))
        table.add_row(f"bytes a position: {form}", *cells)
    for name, what in (
        ("encode", "one core, encoding"),
        ("decode", "one core, reading"),
        ("whole", "compaction, all of it"),
        ("core", "the same, by processor time of client and server"),
        ("archive", "archive"),
    ):
        table.add_row(f"positions/s: {what}", *(f"{row[f'{name}_per_s']:,}" for row in rows))
    for form in ("raw", "chunks"):
        cells = (f"{row['track'][f'{form}_ms']:.1f} ({row['track']['positions']:,} positions)" for row in rows)
        table.add_row(f"a flight's track from {form}, ms", *cells)
    table.caption = "all in: heap, index, TOAST; in brackets the part of raw"
    return table


def _push(rows: list[dict[str, Any]]) -> Table:
    delays = ("delay p50 ms", "p99", "max", "from received p99 ms")
    table = _table("Push: SSE clients, each with its box", "live server", "clients", *delays, "us an update", "API MB")
    for row in rows:
        told = (*row["delay_ms"].values(), row["latency_ms"]["p99"], row["api_us_an_update"], row["api_MB"])
        table.add_row(row["live_server"], f"{row['clients']:,}", *(f"{value:,.0f}" for value in told))
    table.caption = "from the API's read of the live store, once a second, to the client; clients share the machine"
    return table


def _serving(told: dict[str, Any]) -> Table:
    ratios, rates = ("of API itself", "of file", "x naive"), ("requests/s", "p50 ms", "p99 ms", "CPU us", "kB")
    table = _table(
        f"Readers, {told['connections']} connections, {told['live_server']}", "request: way", *ratios, *rates
    )
    rows = told["requests"]
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        bound = " *" if row["bound"] else ""
        cells = [ratio(row[name]) for name in ("of_direct", "of_file", "of_naive")]
        cells += [f"{row['per_s']:,}{bound}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}"]
        last = following is None or following["request"] != row["request"]
        name = f"{row['request']} | {row['way']}" + (f" ({row['failed']} FAILED)" if row["failed"] else "")
        table.add_row(name, *cells, f"{row['cpu_us']:,.0f}", f"{row['kB']:,.1f}", end_section=last)
    table.caption = (
        f"CPU: of the servers, a request, less what they take unasked ({told['idle_cores']:.2f} cores an API); "
        "*: the load program was at work all the time, so the server can more"
    )
    return table


def _exports(told: dict[str, Any]) -> Table:
    rows = told["exports"]
    title = f"Exports: a track of {rows[0]['positions']:,} positions"
    table = _table(title, "way", "of limit", "positions/s", "MB", "CPU us a position", "process grew MB")
    for row in rows:
        grew = "" if row["grew_MB"] is None else f"{row['grew_MB']:.1f}"
        cells = (f"{row['positions_per_s']:,}", f"{row['MB']:.2f}", f"{row['cpu_us']:.1f}", grew)
        table.add_row(row["way"], ratio(row["of_limit"]), *cells)
    return table


def _frames(row: dict[str, Any]) -> Table:
    columns = (
        "the page's own ms a picture: p50",
        "p99",
        "drawing, ms a picture",
        "pictures/s",
        "main thread, ms a second",
    )
    table = _table(f"The map with {row['aircraft']:,} aircraft in Chromium, drawn by the processor", "", *columns)
    for name in ("untouched", "flown", "moved"):
        told = row[name]
        own = (f"{told['script_ms']['p50']:.1f}", f"{told['script_ms']['p99']:.1f}")
        rest = (f"{told['drawing_ms']:.1f}", f"{told['pictures_per_s']:.1f}", str(told["main_thread_ms_per_s"]))
        table.add_row(name, *own, *rest)
    table.caption = "processor time; with a graphics card the drawing is that card's"
    return table


def _scaling(rows: list[dict[str, Any]]) -> Table:
    stages = ("track", "live", "history")
    table = _table(
        "Processes of each stage", "live server", "of each", "reports/s", *(f"lag {s}" for s in stages), "joined after"
    )
    for row in rows:
        lags = (f"{row['highest_lag'].get(stage, 0):,}" for stage in stages)
        joined = f"{row['joined_s']} s" if "joined_s" in row else ""
        table.add_row(row["live_server"], str(row["processes"]), f"{row['reports_per_s']:,}", *lags, joined)
    return table


def _together(rows: list[dict[str, Any]]) -> Table:
    table = _table("All together, every process running", "", *(row["live_server"] for row in rows))
    table.add_row("x naive", *(ratio(row["reports_per_s"] / row["naive_reports_per_s"]) for row in rows))
    table.add_row("reports/s, feed to both stores", *(f"{row['reports_per_s']:,}" for row in rows))
    table.add_row("cores for 10,000 reports/s", *(f"{cores_per_10k(row):.2f}" for row in rows))
    for name in rows[0]["cpu_us_per_report"]:
        table.add_row(f"CPU us a report: {name}", *(f"{row['cpu_us_per_report'][name]:.1f}" for row in rows))
    for name in rows[0]["bytes_per_report"]:
        table.add_row(f"bytes a report: {name}", *(f"{row['bytes_per_report'][name]:.0f}" for row in rows))
    table.add_row("live server, bytes a flight", *(f"{row['live_bytes_per_flight']:,}" for row in rows))
    return table


def cores_per_10k(row: dict[str, Any]) -> float:
    """Cores that 10,000 reports a second take, servers included."""
    return float(sum(row["cpu_us_per_report"].values())) / 100


def _latency(title: str, rows: list[dict[str, Any]]) -> Table:
    table = _table(title, "rate", "live p50", "p99", "p99.9", "history p50", "p99", "p99.9", "kept up", "cores/10k/s")
    for row in rows:
        changed = {k: v for k, v in row["knobs"].items() if title.startswith("The same")}
        name = f"{row['rate_per_s']:,}/s {row['live_server'].split()[0]}" + (f" {changed}" if changed else "")
        cells = [f"{row[store][share]:,.0f}" for store in ("live", "history") for share in ("p50", "p99", "p99.9")]
        kept = "yes" if row["sustained"] else f"no: {row['live']['missing'] + row['history']['missing']} not in time"
        table.add_row(name, *cells, kept, f"{row['cores_per_10k']:.2f}")
    looks = [row[store]["look_ms"] for row in rows for store in ("live", "history")]
    table.caption = (
        f"a look each {min(looks, default=0)}-{max(looks, default=0)} ms: a latency is too long by up to that"
    )
    return table


def goals_of(results: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """Each goal that this run can tell of: name, what is wanted, what was found, whether that meets it."""
    stages: dict[str, list[Outcome]] = results.get("stages", {})
    for stage, wanted_limit, wanted_naive in (("history", 0.9, 20), ("live", 0.9, 8)):
        for name, outcomes in stages.items():
            if name.split()[0] != stage:
                continue
            for o in (o for o in outcomes if o.role == "ours"):
                of_limit, of_naive = o.of_limit or 0, o.of_naive or 0
                yield f"{name}: {o.name}", f"{wanted_limit} of limit", ratio(of_limit), of_limit >= wanted_limit
                yield f"{name}: {o.name}", f"{wanted_naive} x naive", ratio(of_naive), of_naive >= wanted_naive
    for row in results.get("together", []):
        used = row["cpu_us_per_report"]["feed"] + row["cpu_us_per_report"]["track"]
        name = row["live_server"].split()[0]
        wanted = f"below {FEED_AND_TRACK_US:g} us"
        yield f"feed + track, CPU a report ({name})", wanted, f"{used:.1f} us", used < FEED_AND_TRACK_US
        rate = row["reports_per_s"]
        yield f"end to end on {results['machine']['cores']} cores ({name})", "40,000/s", f"{rate:,}/s", rate >= 40_000
    for row in results.get("latency", []):
        if row["rate_per_s"] == 15_000:
            p99 = row["live"]["p99"]
            found = f"{p99:.0f} ms" + ("" if row["sustained"] else ", not kept up")
            yield (
                f"15,000/s: p99 live ({row['live_server'].split()[0]})",
                "250 ms",
                found,
                row["sustained"] and p99 < 250,
            )
    for row in results.get("compaction", []):
        name, found = f"at rest, reports {row['step_s']} s apart", row["bytes"]["chunks"]
        yield name, "20 bytes a position", f"{found:.1f}", found <= 20
        yield f"{name}: compaction, one core", "300,000/s", f"{row['core_per_s']:,}/s", row["core_per_s"] >= 300_000
        track = row["track"]["chunks_ms"]
        yield f"{name}: {row['track']['positions']:,} positions of a flight", "5 ms", f"{track:.1f} ms", track <= 5
    if frames := results.get("frames"):
        moved, name = frames["moved"], f"map, {frames['aircraft']:,} aircraft"
        own = moved["script_ms"]["p99"]
        yield f"{name}: the page's own part", "10 ms a picture", f"{own:.1f} ms", own <= 10
        for what in ("flown", "moved"):
            rate = frames[what]["pictures_per_s"]
            yield f"{name}: {what}, drawn by the processor", "30 pictures/s", f"{rate:.0f}/s", rate >= 30
    for row in results.get("push", []):
        if row["clients"] == 5_000:
            p99 = row["delay_ms"]["p99"]
            yield f"push: p99 of 5,000 clients ({row['live_server']})", "1,500 ms", f"{p99:,.0f} ms", p99 < 1_500
