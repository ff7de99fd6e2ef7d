"""The history API over a real Postgres: that it goes, comes back, and what readers are told meanwhile."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.history.migrate import migrate
from flight_platform.history.partitions import ensure_hour
from flight_platform.history.queries import PORTION
from flight_platform.model import format_flight_id, make_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from serving.history_store import PostgresHistory, gathered
from serving.problems import ProblemError
from tests.integration.serving.processes import Reader, reader

pytestmark = pytest.mark.integration

FLIGHT = make_flight_id(0x3C6444, 1_769_860_800)  # 2026-01-31 12:00
LONG = """
    INSERT INTO history.positions (flight_id, time, received_at, latitude_e7, longitude_e7, source)
    SELECT %s, t, t, 0, 0, 'paris' FROM generate_series(%s::timestamptz, %s, '0.2 s') AS t
"""


def test_postgres_away_is_a_503_and_back_needs_no_restart(server_folder: Path) -> None:
    with EmbeddedPostgres(server_folder / "restarted", free_port(), durable=False) as postgres:
        url = postgres.url("postgres")
        migrate(url)
        postgres.stop()
        with reader("history", postgres_url=url) as history:  # it starts without Postgres
            answer = history.client.get("/v1/flights")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "/docs#store-unavailable"
            assert history.get("/readyz", 503)["type"] == "/docs#store-unavailable"
            assert history.get("/healthz") == {"status": "ok"}
            for _ in range(2):  # away at the start, and away while there are connections
                postgres.start()
                wait_until(lambda: history.client.get("/v1/flights").status_code == 200, 60, "flights again")
                assert history.get("/readyz", 503)["type"] == "/docs#data-stale"
                postgres.stop()
                assert history.get("/readyz", 503)["type"] == "/docs#store-unavailable"
            assert history.stop() == 0


def test_an_export_that_is_under_way_comes_to_its_end_when_the_api_is_stopped(
    postgres_server: EmbeddedPostgres,
) -> None:
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    with migrated_database(postgres_server) as urls:
        with psycopg.connect(urls["postgres_url"]) as connection:
            ensure_hour(connection, start)
            connection.execute(LONG, [FLIGHT, start, start + timedelta(minutes=59)])
        with (
            reader("history", **urls) as history,
            history.client.stream("GET", f"/v1/flights/{format_flight_id(FLIGHT)}/track?format=csv") as answer,
        ):
            lines = answer.iter_lines()
            next(lines)
            history.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not _listens(history), 60, "no more requests to be taken")
            assert sum(1 for _ in lines) == 59 * 60 * 5 + 1
            assert history.process.wait(timeout=60) == 0


def _listens(one: Reader) -> bool:
    try:
        return httpx.get(one.client.base_url.join("/healthz")).status_code == 200
    except httpx.TransportError:
        return False


def test_a_long_answer_ends_in_the_store_when_its_reader_leaves(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.history_store.AHEAD", 2)
    monkeypatch.setattr("serving.history_store.LONG_ANSWERS", 1)
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    with migrated_database(postgres_server) as urls:
        with psycopg.connect(urls["postgres_url"]) as connection:
            ensure_hour(connection, start)
            connection.execute(LONG, [FLIGHT, start, start + timedelta(minutes=20)])
        store = PostgresHistory(Settings.read(**urls, instance="reader"))

        async def states() -> list[str]:
            question = "SELECT state FROM pg_stat_activity WHERE application_name = 'reader history API' ORDER BY 1"
            async with await psycopg.AsyncConnection.connect(urls["postgres_url"]) as connection:
                return [state async for (state,) in await connection.execute(question)]

        async def run() -> None:
            await store.open()
            try:
                portions = store.track(FLIGHT)
                assert len(await anext(portions)) == PORTION
                assert "idle in transaction" in await states()
                with pytest.raises(ProblemError, match="1 long answers are being sent already"):
                    await anext(store.track(FLIGHT))
                await portions.aclose()
                assert set(await states()) == {"idle"}
                assert len(await gathered(store.track(FLIGHT))) == 20 * 60 * 5 + 1  # and the place is free again
                short = store.instant(time=start + timedelta(minutes=1), bbox=None, limit=10)
                assert len(await anext(short)) == 1
                assert set(await states()) == {"idle"}  # what is soon read holds nothing while it is sent
                await short.aclose()
            finally:
                await store.close()

        asyncio.run(run())


def test_a_database_without_our_tables_says_what_makes_them(postgres_server: EmbeddedPostgres) -> None:
    with reader("history", postgres_url=postgres_server.url("postgres")) as history:
        assert "flight migrate" in history.get("/v1/flights", 503)["detail"]
