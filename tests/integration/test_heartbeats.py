"""Heartbeats on a real Postgres: a row a second, none after a clean stop, no harm where Postgres is away."""

import json
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg
import pytest
from prometheus_client import REGISTRY

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from flight_platform.watch.freshness import sign_of_life
from flight_platform.watch.heartbeats import Heartbeat, SourceFacts
from flight_platform.watch.holes import Holes

pytestmark = pytest.mark.integration

START_MS = 1_700_000_000_000


def rows(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT stage, instance, source, watermark, lag_records, counters, note, rss_bytes > 0 FROM ops.heartbeats"
        ).fetchall()


def test_row_is_renewed_and_taken_away(postgres_server: EmbeddedPostgres) -> None:
    with migrated_database(postgres_server) as urls:
        beat = Heartbeat(Settings.read(instance="feed-1", **urls), Stage.FEED, source="paris")
        beat.start()
        wait_until(lambda: rows(urls["postgres_url"]), 60, "the first beat")
        beat.watermark_ms, beat.lag_records, beat.note = 1_700_000_000_500, 7, "running"
        beat.source_clock_ms = 1_700_000_000_700
        beat.counts["accepted"] += 3
        expected = ("feed", "feed-1", "paris", datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC), 7, {"accepted": 3})
        wait_until(lambda: rows(urls["postgres_url"]) == [(*expected, "running", True)], 60, "the next beat")
        beat.stop()
        assert rows(urls["postgres_url"]) == []
        with psycopg.connect(urls["postgres_url"]) as connection:
            heard = connection.execute("SELECT source, instance, heard_to FROM ops.listening").fetchall()
        assert heard == [("paris", "feed-1", datetime(2023, 11, 14, 22, 13, 20, 700_000, UTC))], "it outlives the run"


def test_what_a_source_left_out_is_a_gap_though_nobody_looked_and_postgres_was_away(
    postgres_server: EmbeddedPostgres,
) -> None:
    with migrated_database(postgres_server) as urls:
        beat = Heartbeat(Settings.read(stall_threshold_s=15, **urls), Stage.FEED, source="roof")
        beat.about_source = lambda: SourceFacts(repeatable=False, period_s=5)
        second = time.monotonic()
        for told_s, at_s in [(1, 1), (14, 14), (35, 34), (36, 35), (90, 36), (91, 80), (85, 120), (130, 121)]:
            beat.hear(START_MS + told_s * 1000, at_s=second + at_s)  # its clock, ours
        beat.start()  # only now does Postgres hear of it
        found = "SELECT hop, source, cause, from_time, to_time FROM ops.gaps ORDER BY from_time"
        with psycopg.connect(urls["postgres_url"], autocommit=True) as connection:
            wait_until(lambda: len(connection.execute(found).fetchall()) == 2, 5, "the gaps")
            gaps = connection.execute(found).fetchall()
            assert gaps == [("source", "roof", "source_away", moment(a), moment(b)) for a, b in ((14, 35), (91, 130))]
            # What the watchman has seen already is not written twice; what a recording leaves out is not lost.
            beat.hear(START_MS + 200_000, at_s=second + 191)
            connection.execute("UPDATE ops.gaps SET to_time = NULL WHERE from_time = %s", [moment(91)])
            beat.about_source = lambda: SourceFacts(repeatable=True)
            beat.hear(START_MS + 300_000, at_s=second + 291)
            wait_until(lambda: not beat.holes, 5, "they are gone")
            assert len(connection.execute(found).fetchall()) == 2
            # Two that have become one: what is known of it already is left out, and nothing else.
            connection.execute("UPDATE ops.gaps SET to_time = %s WHERE to_time IS NULL", [moment(300)])
            connection.execute(
                "INSERT INTO ops.gaps (hop, source, from_time, to_time, reason, cause)"
                " VALUES ('feed', 'roof', %s, %s, 'a test', 'feed_away')",
                [moment(420), moment(460)],
            )
            few = Holes(1)
            few.add(START_MS + 400_000, START_MS + 450_000)
            few.add(START_MS + 480_000, START_MS + 500_000)
            beat.holes = few
            wait_until(lambda: not beat.holes, 5, "they are written down")
            noted = connection.execute(f"{found} OFFSET 2").fetchall()
            assert [(row[2], row[3], row[4]) for row in noted] == [
                ("source_away", moment(400), moment(420)),
                ("feed_away", moment(420), moment(460)),
                ("source_away", moment(460), moment(500)),
            ]
        beat.stop()


def moment(second: int) -> datetime:
    return datetime.fromtimestamp(START_MS / 1000 + second, UTC)


def test_postgres_away_is_no_reason_to_stop_and_what_it_does_not_take_another_one_is_given() -> None:
    given: list[tuple[object, bool]] = []

    def fails_instead(row: Mapping[str, object], ended: bool) -> None:
        given.append((row["counters"], ended))
        raise RuntimeError("a test")

    url = f"postgresql://flight:flight@127.0.0.1:{free_port()}/flight"
    beat = Heartbeat(Settings.read(postgres_url=url), Stage.TRACK)
    beat.instead = fails_instead
    beat.counts["passed"] += 1
    beat.start()
    wait_until(lambda: len(given) >= 2, 60, "two of its words")
    beat.stop()
    assert given[0] == (json.dumps({"passed": 1}), False)
    assert [ended for _, ended in given] == [False] * (len(given) - 1) + [True]


def test_prometheus_is_told_whether_postgres_answers_and_how_long_ago_dagster_looked(
    postgres_server: EmbeddedPostgres,
) -> None:
    def told(name: str, labels: dict[str, str] | None = None) -> float:
        value = REGISTRY.get_sample_value(name, labels)
        assert value is not None
        return value

    after: list[float | None] = []

    def fails_then(_connection: psycopg.Connection, watchman_age_s: float | None) -> None:
        after.append(watchman_age_s)
        raise RuntimeError("a test")

    with migrated_database(postgres_server) as urls:
        beat = Heartbeat(Settings.read(**urls), Stage.TRACK)
        beat.then = fails_then
        beat.start()
        wait_until(lambda: rows(urls["postgres_url"]), 60, "the first beat")
        wait_until(lambda: told("flight_watchman_age_seconds") == math.inf, 60, "no Dagster")
        with psycopg.connect(urls["postgres_url"]) as connection:
            sign_of_life(connection, "watchman", datetime.now(UTC), "")
        wait_until(lambda: 0 <= told("flight_watchman_age_seconds") < 60, 60, "Dagster's word")
        assert told("flight_dependency_up", {"dependency": "postgres"}) == 1
        assert after[0] is None
        wait_until(lambda: after[-1] is not None, 60, "who is called after each beat knows it too, and ends no beating")
        beat.stop()
    beat = Heartbeat(Settings.read(postgres_url=f"postgresql://x@127.0.0.1:{free_port()}/x"), Stage.TRACK)
    beat.start()
    wait_until(lambda: told("flight_dependency_up", {"dependency": "postgres"}) == 0, 60, "Postgres away")
    assert math.isnan(told("flight_watchman_age_seconds"))
    beat.stop()


def test_a_process_that_failed_leaves_its_row(postgres_server: EmbeddedPostgres) -> None:
    with migrated_database(postgres_server) as urls:
        beat = Heartbeat(Settings.read(**urls), Stage.FEED, source="paris")
        beat.start()
        wait_until(lambda: rows(urls["postgres_url"]), 60, "the first beat")
        beat.stop(on_purpose=False)
        assert len(rows(urls["postgres_url"])) == 1
