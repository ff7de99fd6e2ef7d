"""The tables and the goals of a run."""

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.measure import Outcome
from bench.report import goals_of, ratio, show, write


def outcome(role: str, of_limit: float, of_naive: float) -> Outcome:
    return Outcome(f"the {role} way", role, 1000.0, of_limit, of_naive, 1.0, 2.0, [1000])  # type: ignore[arg-type]


def results() -> dict[str, Any]:
    seen = {"p50": 80.0, "p99": 200.0, "p99.9": 300.0, "samples": 10, "missing": 0, "look_ms": 6.0, "look_p99_ms": 9.0}
    return {
        "quick": True,
        "machine": {"cores": 2, "processor": "a processor"},
        "load_before": [0.1, 0.1, 0.1],
        "load_after": [2.0, 1.0, 0.5],
        "tracks": "generated",
        "stages": {"history": [outcome("limit", 1, 400), outcome("naive", 0.003, 1), outcome("ours", 0.92, 350)]},
        "together": [
            {
                "live_server": "Tile38",
                "reports_per_s": 41_000,
                "naive_reports_per_s": 300,
                "cpu_us_per_report": {"feed": 8.0, "track": 9.0, "Kafka": 10.0},
                "bytes_per_report": {"Kafka flight.reports": 50.0},
                "live_bytes_per_flight": 1000,
            }
        ],
        "latency": [
            {
                "rate_per_s": 15_000,
                "live_server": "Tile38",
                "knobs": {},
                "live": seen,
                "history": seen,
                "sustained": True,
                "cores_per_10k": 0.5,
            }
        ],
    }


def test_goals_are_met_or_missed_by_what_was_found() -> None:
    found = {(name, wanted): met for name, wanted, _, met in goals_of(results())}
    assert found == {
        ("history: the ours way", "0.9 of limit"): True,
        ("history: the ours way", "20 x naive"): True,
        ("feed + track, CPU a report (Tile38)", "below 15 us"): False,
        ("end to end on 2 cores (Tile38)", "40,000/s"): True,
        ("15,000/s: p99 live (Tile38)", "250 ms"): True,
    }


def test_a_rate_that_was_not_kept_meets_no_latency_goal() -> None:
    run = results()
    run["latency"][0]["sustained"] = False
    assert [met for name, _, _, met in goals_of(run) if "p99" in name] == [False]


def test_the_table_names_the_live_server_and_the_ratios() -> None:
    out = io.StringIO()
    show(results(), Console(file=out, width=140))
    text = out.getvalue()
    assert "Tile38" in text
    assert "0.92" in text
    assert "350" in text
    assert "others were at work" not in text


def test_the_curve_of_processes_has_a_row_for_each_number() -> None:
    lag = {"track": 1234, "live": 5, "history": 6789}
    rows = [
        {"live_server": "Tile38", "processes": processes, "reports_per_s": rate, "highest_lag": lag} | more
        for processes, rate, more in ((1, 20_100, {}), (3, 30_200, {"joined_s": 4.5}), (1, 20_300, {}))
    ]
    out = io.StringIO()
    show(results() | {"scaling": rows}, Console(file=out, width=140))
    lines = [line for line in out.getvalue().splitlines() if "1,234" in line]
    assert [("20,100" in a, "30,200" in b, "20,300" in c) for a, b, c in [lines]] == [(True, True, True)]
    assert "4.5 s" in lines[1]


def test_push_has_its_row_and_its_goal() -> None:
    shares = {"p50": 310.0, "p99": 1234.0, "max": 1500.0}
    row = {"live_server": "tile38", "clients": 5000, "delay_ms": shares, "latency_ms": shares}
    pushed = {"push": [row | {"api_us_an_update": 120, "api_MB": 400}]}
    out = io.StringIO()
    show(results() | pushed, Console(file=out, width=140))
    assert "1,234" in out.getvalue()
    assert ("push: p99 of 5,000 clients (tile38)", "1,500 ms", "1,234 ms", True) in list(goals_of(pushed))


def test_readers_exports_and_the_map_have_their_tables() -> None:
    row = {"request": "a box", "way": "API itself", "of_direct": None, "of_file": 0.12, "of_naive": 34.0, "failed": 0}
    row |= {"per_s": 5_678, "p50_ms": 1.2, "p99_ms": 9.9, "cpu_us": 432.1, "kB": 4.1, "bound": True}
    export = {"way": "ours: csv", "of_limit": 0.5, "positions": 20_000, "positions_per_s": 123_456}
    export |= {"MB": 1.5, "cpu_us": 7.5, "grew_MB": None}
    told = {"live_server": "tile38", "connections": 16, "idle_cores": 0.1, "requests": [row], "exports": [export]}
    script = {"mean": 3.0, "p50": 2.6, "p99": 3.7}
    seen = {"script_ms": script, "pictures_per_s": 31.5, "main_thread_ms_per_s": 90, "drawing_ms": 12.0}
    map_of = {"aircraft": 10_000, "untouched": seen, "flown": seen, "moved": seen}
    run = results() | {"serving": [told], "frames": map_of}
    out = io.StringIO()
    show(run, Console(file=out, width=160))
    for cell in ("5,678 *", "0.12", "34", "432", "123,456", "31.5", "0.10 cores"):
        assert cell in out.getvalue()
    goals = [(wanted, found, met) for name, wanted, found, met in goals_of(run) if name.startswith("map")]
    assert goals == [("10 ms a picture", "3.7 ms", True), *[("30 pictures/s", "32/s", True)] * 2]


def test_a_busy_machine_is_said_to_be_busy() -> None:
    out = io.StringIO()
    show(results() | {"load_before": [3.0, 2.0, 1.0]}, Console(file=out, width=140))
    assert "others were at work" in out.getvalue()


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = write(results(), tmp_path)
    assert path.name.endswith("-quick.json")
    kept = json.loads(path.read_text())
    assert kept["stages"]["history"][2]["of_limit"] == 0.92


def test_ratios_have_as_many_digits_as_they_are_worth() -> None:
    assert [ratio(value) for value in (None, 0.856, 9.87, 1234.5)] == ["", "0.86", "9.87", "1,234"]
