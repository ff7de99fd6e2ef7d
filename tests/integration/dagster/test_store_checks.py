"""Checks of flights, and of live against history, on real stores."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.flights import KEY as FLIGHTS_KEY
from assets.quality import flights_are_plausible, live_agrees_with_history
from assets.resources import Platform
from flight_platform import kafka
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.flights.airports import Airports
from flight_platform.history.flights import derive_hour
from flight_platform.history.partitions import start_of_hour
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.live.samples import sample
from tests.integration.live.test_servers import live_writer

pytestmark = pytest.mark.integration


@pytest.fixture
def platform(database: DatabaseUrls, tmp_path: Path) -> Platform:
    return Platform(overrides={"postgres_url": database["postgres_url"], "var": str(tmp_path)})


def asked(
    check: dg.AssetChecksDefinition, platform: Platform, instance: dg.DagsterInstance | None = None
) -> dg.AssetCheckResult:
    result = check(dg.build_asset_check_context(instance=instance), platform=platform)
    assert isinstance(result, dg.AssetCheckResult)
    return result


def away(platform: Platform) -> Platform:
    """Its live server does not answer."""
    return Platform(overrides={**platform.overrides, "tile38_urls": "redis://127.0.0.1:1"})


def red(connection: psycopg.Connection) -> list[str]:
    """The incidents that are open."""
    return [key for (key,) in connection.execute("SELECT key FROM ops.incidents WHERE closed_at IS NULL")]


def test_live_and_history_agree_or_the_flights_are_named(
    database: DatabaseUrls, connection: psycopg.Connection, platform: Platform, tmp_path: Path
) -> None:
    at = kafka.now_ms() - 20_000
    flights = [sample(n, at, flight_id=(0x3C0000 + n) << 32 | (at // 1000 - 60)) for n in range(20)]
    with EmbeddedLive(tmp_path / "live", free_port(), "stand-in") as live:
        url = f"redis://127.0.0.1:{live.port}"
        here = Platform(overrides={**platform.overrides, "tile38_urls": url})
        settings = Settings.read(tile38_urls=url)
        with live_writer(settings, flights[1:]):
            fill(connection, flights[:-1])
            result = asked(live_agrees_with_history, here)
            assert red(connection) == ["agrees:live"]
            asked(live_agrees_with_history, away(platform))
            assert red(connection) == ["agrees:live"], "what cannot be told is no all-clear"
        with live_writer(settings, flights):
            fill(connection, flights[-1:])
            assert asked(live_agrees_with_history, here).passed
            assert red(connection) == []
    assert not result.passed
    assert result.description == "live and history agree: 90.00% of 20 flights of the last minute"
    assert (result.metadata["not live"].value, result.metadata["not in history"].value) == (1, 1)


def test_where_the_live_store_is_away_it_cannot_be_told_and_that_is_no_failure(platform: Platform) -> None:
    result = asked(live_agrees_with_history, away(platform))
    assert result.passed
    assert "did not answer" in (result.description or "")


def test_flights_that_cannot_be_are_found_with_their_page(
    connection: psycopg.Connection, platform: Platform, tmp_path: Path
) -> None:
    hour = start_of_hour(datetime.now(UTC))
    born = int(hour.timestamp())
    slow = [
        sample(1, (born + 60 * n) * 1000, flight_id=0x3C0001 << 32 | born, latitude=48.0 + 0.05 * n, longitude=2.0)
        for n in range(20)
    ]
    fill(connection, slow)
    derive_hour(connection, hour, Airports([]), datetime.now(UTC))
    assert asked(flights_are_plausible, platform).passed
    assert red(connection) == []
    connection.execute("UPDATE history.flights SET distance_nm = 90000")
    with dg.instance_for_test() as instance:
        green = dg.AssetCheckEvaluation(asset_key=FLIGHTS_KEY, check_name="plausible", passed=True)
        instance.report_runless_asset_event(green)
        result = asked(flights_are_plausible, platform, instance)
    assert not result.passed
    assert red(connection) == ["plausible:flights"]
    told = connection.execute("SELECT now() - last_good < interval '1 minute' FROM ops.incidents").fetchall()
    assert told == [(True,)], "the last good value is the check's last green"
    assert "speed_by_distance_kt is possible" in (result.description or "")
    assert result.metadata["Data Docs"].value == "http://127.0.0.1:8082/quality/flights.html"
    assert "speed_by_distance_kt" in (tmp_path / "quality" / "flights.html").read_text()
    connection.execute("DELETE FROM history.flights")
    assert asked(flights_are_plausible, platform).passed
    assert red(connection) == []
