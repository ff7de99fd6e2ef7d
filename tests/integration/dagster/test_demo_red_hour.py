"""The demonstration's red hour is red for its stated reason, whether it was judged before or not."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from cli.demo_red_hour import spoil_an_hour
from flight_platform.history.partitions import HOUR, start_of_hour
from flight_platform.history.verdicts import record_verdict, red_hours
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import stream

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # Great Expectations takes its time on a busy machine

SPOILED = start_of_hour(datetime.now(UTC)) - 2 * HOUR


def test_an_hour_of_the_past_is_spoiled_and_red_for_a_squawk_that_nobody_has(
    database: DatabaseUrls, connection: psycopg.Connection, tmp_path: Path
) -> None:
    settings = Settings.read(**database, kafka_bootstrap="127.0.0.1:1", var=tmp_path)
    assert spoil_an_hour(settings, timeout_s=0) is None
    start_ms = round((SPOILED - HOUR).timestamp() * 1000)
    fill(connection, stream(2, 720, start_ms, step_ms=10_000))
    record_verdict(connection, SPOILED - HOUR, passed=True, rows=720, failures=[])
    record_verdict(connection, SPOILED, passed=True, rows=720, failures=[])
    assert spoil_an_hour(settings, timeout_s=0) == SPOILED
    (red,) = red_hours(connection)
    # Synthetic tracks jump, so their speed is another matter here.
    (failure,) = [each for each in red.failures if each["name"] == "squawk looks like one"]
    assert red.hour == SPOILED
    assert failure["sample"][0]["squawk"] == "8899"
