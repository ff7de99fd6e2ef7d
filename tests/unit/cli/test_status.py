"""What `flight status` makes of heartbeats, without a server."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.status import _add_rates, _screen, render, watermarks, work_done

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def beat(**changed: Any) -> dict[str, Any]:
    usual = {
        "stage": "track",
        "instance": "track-1",
        "source": "",
        "started_at": NOW - timedelta(hours=1),
        "beat_at": NOW,
        "beat_age_s": 0.4,
        "watermark_age_s": 1.2,
        "lag_records": 7,
        "counters": {"passed": 100, "repeat": 50},
        "rss_bytes": 90_000_000,
        "note": "running",
        "silent": False,
        "rate_per_s": None,
    }
    return usual | changed


def facts(**changed: Any) -> dict[str, Any]:
    usual = {
        "at": NOW, "hops": [], "watermarks": {}, "incidents": [], "history": None, "programs": [],
        "addresses": {"Kafka": "k:1"}, "problems": [],
    }  # fmt: skip
    return usual | changed


def test_the_rate_is_the_work_between_two_beats() -> None:
    later = beat(beat_at=NOW + timedelta(seconds=2), counters={"passed": 130, "repeat": 90})
    _add_rates([later], [beat()])
    assert later["rate_per_s"] == 15.0


def test_a_restarted_process_has_no_rate_yet() -> None:
    later = beat(beat_at=NOW + timedelta(seconds=2), started_at=NOW, counters={"passed": 3})
    _add_rates([later], [beat()])
    assert later["rate_per_s"] is None


def test_without_a_new_beat_the_rate_stays() -> None:
    same = beat()
    _add_rates([same], [beat(rate_per_s=15.0)])
    assert same["rate_per_s"] == 15.0


def test_counters_that_we_do_not_know_are_all_counted() -> None:
    assert work_done(beat(stage="new", counters={"a": 1, "b": 2})) == 3
    assert work_done(beat(counters={"passed": 0, "repeat": 2})) == 0


def test_a_hop_is_one_line_with_age_rate_lag_and_memory() -> None:
    line = next(line for line in render(facts(hops=[beat(rate_per_s=1234.4)])).splitlines() if "track-1" in line)
    assert line.split() == ["track", "track-1", "1.2", "s", "ago", "1,234/s", "7", "90", "MB", "running"]


def test_a_silent_process_is_called_silent_and_unknown_is_no_zero() -> None:
    shown = render(facts(hops=[beat(silent=True, beat_age_s=42.0, watermark_age_s=None, lag_records=None)]))
    line = next(line for line in shown.splitlines() if "track-1" in line)
    assert "silent for 42 s" in line
    assert " 0 " not in line


def test_each_source_has_its_watermark_at_each_hop() -> None:
    def ago(seconds: float) -> datetime:
        return NOW - timedelta(seconds=seconds)

    feed = {"stage": "feed", "source": "paris", "source_clock": ago(1), "watermark": ago(2), "watermarks": {}}
    tracks = [{"stage": "track", "watermarks": {"paris": ago(seconds), "bern": ago(60)}} for seconds in (30, 3)]
    found = watermarks([feed, *tracks])
    assert found == {"paris": {"source": ago(1), "feed": ago(2), "track": ago(3)}, "bern": {"track": ago(60)}}
    shown = [line.split() for line in render(facts(watermarks=found)).splitlines()]
    assert ["paris", "1.0", "s", "2.0", "s", "3.0", "s", "-", "-"] in shown
    assert ["bern", "-", "-", "60", "s", "-", "-"] in shown


def test_nothing_running_says_how_to_start() -> None:
    assert "`flight up`" in render(facts())


def test_of_what_does_not_answer_nothing_is_said() -> None:
    shown = render(facts(problems=["Postgres at p:1 does not answer"]))
    assert "`flight up`" not in shown, "whether anything runs is not known"
    assert "incidents" not in shown
    assert "Kafka" in shown


def test_the_screen_tells_the_time_and_marks_what_is_wrong() -> None:
    shown = _screen(facts(hops=[beat(silent=True, beat_age_s=42.0), beat(instance="track-2")], problems=[]))
    assert shown.plain.startswith("03:04:05 UTC")
    (marked,) = (span for span in shown.spans if span.style == "red")
    assert "track-1" in shown.plain[marked.start : marked.end]
    assert "Postgres away" in _screen(facts(problems=["Postgres away"])).plain


def test_open_incidents_are_told() -> None:
    incident = {"severity": "warning", "summary": "source paris has stopped", "since": NOW - timedelta(seconds=30)}
    shown = render(facts(incidents=[incident]))
    assert "incidents: 1 open" in shown
    assert "source paris has stopped (30 s, since 03:03:35 UTC)" in shown
    assert "incidents: none open" in render(facts())


def test_history_tells_what_there_is() -> None:
    history = {
        "rows": 139098, "hours": 18, "partitions": 186, "quarantined": 0,
        "oldest": NOW - timedelta(hours=17), "newest": NOW - timedelta(seconds=1),
    }  # fmt: skip
    shown = render(facts(history=history))
    assert "139,098 positions in 18 hours" in shown
    assert "quarantine" not in shown
    assert "history: empty" in render(facts(history=history | {"rows": 0}))
