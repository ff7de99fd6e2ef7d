"""A gap is filled from a recording by Dagster's partitioned backfill, on the way that all reports take."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.backfill import gaps_to_fill, history_backfill
from assets.partitions import HOUR, range_tags
from assets.resources import Platform
from flight_platform.history.partitions import start_of_hour
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls
from tests.processes import new_settings, stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

_GAP = """
    INSERT INTO ops.gaps (hop, source, from_time, to_time, reason, cause)
    VALUES ('source', 'roof', %s, %s, 'a test', 'source_away') RETURNING gap_id
"""


@pytest.fixture
def settings(kafka_bootstrap: str, database: DatabaseUrls, tmp_path: Path) -> Iterator[Settings]:
    """A platform whose track and history run, with a folder of recordings."""
    (tmp_path / "recordings").mkdir()
    made = new_settings(kafka_bootstrap, **database, var=tmp_path, recordings=tmp_path / "recordings")
    with stage("track", made, tmp_path), stage("history", made, tmp_path):
        yield made


def record(path: Path, begins: datetime, seconds: int) -> None:
    """A recording of one aircraft, a report each ten seconds."""
    with path.open("w") as lines:
        for second in range(0, seconds, 10):
            report = {
                "icao24": "3c6444",
                "time": (begins + timedelta(seconds=second)).isoformat().replace("+00:00", "Z"),
                "latitude": 48.0,
                "longitude": round(2 + second * 0.003, 5),
                "altitude_ft": 35000,
                "ground_speed_kt": 430.0,
            }
            lines.write(json.dumps(report) + "\n")


def test_a_gap_that_a_recording_covers_is_filled_and_marked(
    settings: Settings, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    hour = start_of_hour(row[0]) - 2 * HOUR
    assert settings.recordings is not None
    record(settings.recordings / "roof.jsonl", hour + timedelta(minutes=5), 1200)
    minute = timedelta(minutes=1)
    for first, last in ((10, 20), (22, 50)):  # the second goes on after the recording has ended
        connection.execute(_GAP, [hour + first * minute, hour + last * minute])
    overrides = {name.removeprefix("FLIGHT_").lower(): value for name, value in settings.environment().items()}
    platform = Platform(overrides=overrides)
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})
    asked = gaps_to_fill(context)
    assert isinstance(asked, Iterator)
    requests = [request for request in asked if isinstance(request, dg.RunRequest)]
    assert [request.tags for request in requests] == [range_tags(hour, hour)] * 2
    done = dg.materialize(
        [history_backfill],
        instance=instance,
        resources={"platform": platform},
        run_config=requests[0].run_config,
        tags=dict(requests[0].tags),
    )
    assert done.success
    filled = connection.execute("SELECT filled_at IS NOT NULL FROM ops.gaps ORDER BY from_time").fetchall()
    assert filled == [(True,), (False,)]
    rows = connection.execute("SELECT count(*), min(source), max(source) FROM analytics.positions").fetchone()
    assert rows == (120, "roof", "roof")
