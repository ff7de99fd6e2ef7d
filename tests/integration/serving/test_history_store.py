"""The history API over a real Postgres: that it goes, comes back, and what readers are told meanwhile."""

from pathlib import Path

import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.testing import wait_until
from tests.integration.serving.processes import reader

pytestmark = pytest.mark.integration


def test_postgres_away_is_a_503_and_back_needs_no_restart(server_folder: Path) -> None:
    with EmbeddedPostgres(server_folder / "restarted", free_port(), durable=False) as postgres:
        url = postgres.url("postgres")
        postgres.stop()
        with reader("history", postgres_url=url) as history:  # it starts without Postgres
            answer = history.client.get("/v1/flights")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "/docs#store-unavailable"
            assert history.get("/readyz", 503)["status"] == 503
            assert history.get("/healthz") == {"status": "ok"}
            for _ in range(2):  # away at the start, and away while there are connections
                postgres.start()
                wait_until(lambda: history.client.get("/readyz").status_code == 200, 20, "readiness again")
                postgres.stop()
                assert history.get("/readyz", 503)["status"] == 503
            assert history.stop() == 0


def test_a_database_without_our_tables_says_what_makes_them(postgres_server: EmbeddedPostgres) -> None:
    with reader("history", postgres_url=postgres_server.url("postgres")) as history:
        assert "flight migrate" in history.get("/v1/flights", 503)["detail"]
