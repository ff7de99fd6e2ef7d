"""A running feed's door: it follows the database, and holds to what it saw while there is none."""

import stat
from pathlib import Path

import psycopg
import pytest

from flight_platform.errors import ServerUnavailableError
from flight_platform.model import Position
from flight_platform.names import Treatment
from flight_platform.privacy.rules import Rule, Subject, add_rules, remove_rule
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from streaming.blocklist import BlockList, Gate

pytestmark = pytest.mark.integration

NOW_MS = 1_700_000_000_000
NOWHERE = "postgresql://nobody:x@127.0.0.1:1/flight"
SEEN = {
    icao24: Position(icao24=icao24, time=NOW_MS, received_at=NOW_MS, latitude=1.0, longitude=2.0)
    for icao24 in ("3c0001", "3c0002", "3c0003")
}
EVERYBODY = set(SEEN)


def rule(icao24: str, treatment: Treatment = Treatment.DROP) -> Rule:
    return Rule(subject=Subject(icao24=icao24), treatment=treatment, reason="asked", address=icao24)


def passing(gate: Gate | BlockList) -> set[str]:
    return {position.icao24 for position in gate.apply(SEEN.values(), NOW_MS)}


@pytest.fixture
def settings(database: DatabaseUrls, tmp_path: Path) -> Settings:
    with psycopg.connect(database["postgres_url"]) as connection:
        connection.execute("TRUNCATE ops.block_list")
    return Settings.read(postgres_url=database["postgres_url"], var=tmp_path / "var")


def add(database: DatabaseUrls, *rules: Rule) -> list[int]:
    with psycopg.connect(database["postgres_url"]) as connection:
        return add_rules(connection, rules, actor="me")


def test_it_follows_the_database_and_keeps_the_file_s_rules(settings: Settings, database: DatabaseUrls) -> None:
    file = settings.var.parent / "block.csv"
    file.write_text("icao24,action\n3c0003,drop\n")
    with Gate(settings.model_copy(update={"block_list": file}), every_s=0.05) as gate:
        assert passing(gate) == EVERYBODY - {"3c0003"}
        number, _ = add(database, rule("3c0001"), rule("3c0002", Treatment.ANONYMISE))
        wait_until(lambda: "3c0001" not in passing(gate), what="the rule holds")
        pseudonym = passing(gate)
        assert len(pseudonym) == 1
        assert not pseudonym & EVERYBODY
        with psycopg.connect(database["postgres_url"]) as connection:
            remove_rule(connection, number, actor="me", reason="withdrawn")
        wait_until(lambda: "3c0001" in passing(gate), what="the rule is gone")
        assert passing(gate) == pseudonym | {"3c0001"}  # and the pseudonym is the same


def test_the_first_feed_of_a_machine_looks_before_it_starts(settings: Settings, database: DatabaseUrls) -> None:
    add(database, rule("3c0001"))
    with Gate(settings, every_s=60) as gate:
        assert passing(gate) == EVERYBODY - {"3c0001"}


def test_without_a_database_the_list_of_the_last_run_holds(settings: Settings, database: DatabaseUrls) -> None:
    add(database, rule("3c0001"), rule("3c0002", Treatment.ANONYMISE))
    with Gate(settings, every_s=60):
        pass
    copy = settings.var / "block-list.json"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    away = Settings.read(postgres_url=NOWHERE, var=settings.var)
    with Gate(away, every_s=60) as gate:
        assert "3c0001" not in passing(gate)
        assert "3c0002" not in passing(gate)
    copy.write_text("[1]")
    with Gate(away, every_s=60) as gate:
        assert passing(gate) == EVERYBODY


def test_what_can_wait_fails_without_the_list(settings: Settings, database: DatabaseUrls) -> None:
    add(database, rule("3c0001"))
    assert passing(BlockList.now(settings)) == EVERYBODY - {"3c0001"}
    with pytest.raises(ServerUnavailableError, match="block list"):
        BlockList.now(Settings.read(postgres_url=NOWHERE))
