"""An aircraft is forgotten: out of every store, with proofs that still hold, and it does not come back."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from assets.privacy import forget_aircraft
from assets.resources import Platform
from cli.main import main
from flight_platform.codec import encode
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.errors import FlightError
from flight_platform.flights.airports import Airports
from flight_platform.history.checksums import checksum
from flight_platform.history.compaction import compact_hour
from flight_platform.history.flights import derive_hour
from flight_platform.history.partitions import HOUR
from flight_platform.history.progress import Progress
from flight_platform.history.reading import read_chunks, read_hour
from flight_platform.history.reconciliation import prove_hours
from flight_platform.history.statistics_tables import count_hour
from flight_platform.history.verdicts import record_verdict
from flight_platform.kafka import now_ms
from flight_platform.live.connection import Connection
from flight_platform.live.pack import pack_sets
from flight_platform.live.shards import parse_shards
from flight_platform.model import Position, address_of, format_flight_id, make_flight_id
from flight_platform.names import TOPIC_REPORTS
from flight_platform.privacy.forget import Forgotten, NotAllForgottenError, forget
from flight_platform.privacy.live import erase_live
from flight_platform.privacy.rules import Subject
from flight_platform.privacy.target import Target
from flight_platform.settings import Settings
from flight_platform.testing import DatabaseUrls, wait_until
from tests.integration.history.filling import TOPIC, fill
from tests.integration.history.reports import report
from tests.integration.live.samples import columns_of
from tests.processes import new_settings, records

pytestmark = pytest.mark.integration

RAW = datetime(2026, 9, 21, 14, tzinfo=UTC)
PACKED = RAW - HOUR
BORN = int(PACKED.timestamp()) + 3_000
FORGOTTEN, OTHER = "4ca001", "4ca002"
OUR_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('history', 'ops') AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


def reports(icao24: str, **fields: Any) -> list[Position]:
    """A flight from ten minutes before the hour's turn to ten minutes after it."""
    return [report(icao24, BORN, (BORN + n) * 1000, **fields) for n in range(0, 1_200, 4)]


@pytest.fixture
def past(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Two flights of two hours, one packed in chunks and one raw, with all that is made of them."""
    fill(connection, [*reports(FORGOTTEN, callsign="SECRET1"), *reports(OTHER)])
    fill(connection, [report("4ca003", BORN, (BORN + 2_000) * 1000, callsign="SECRET1")])
    for hour in (PACKED, RAW):
        record_verdict(connection, hour, passed=True, rows=1, failures=[])
        derive_hour(connection, hour, Airports([], []), datetime.now(UTC))
        count_hour(connection, hour)
    assert compact_hour(connection, PACKED, RAW + 3 * HOUR).rows == 300
    sample = [{"flight_id": format_flight_id(reports(one)[0].flight_id or 0)} for one in (FORGOTTEN, OTHER)]
    failures: list[dict[str, Any]] = [
        {"name": "x", "sample": sample},
        {"name": "y"},
        {"name": "z", "sample": [{"callsign": "SECRET1"}]},
    ]
    record_verdict(connection, RAW + HOUR, passed=False, rows=1, failures=failures)
    for offset, icao24 in enumerate((FORGOTTEN, OTHER)):
        connection.execute(
            "INSERT INTO ops.quarantine VALUES (%s, 0, %s, now(), 'no_partition', 'x', %s)",
            [TOPIC, 1_000_000 + offset, encode(report(icao24, BORN, BORN * 1000))],
        )
    yield connection
    names = [name for (name,) in connection.execute(OUR_TABLES) if name != "ops.migrations"]
    connection.execute(f"TRUNCATE {', '.join(names)} CASCADE".encode())


@pytest.fixture(scope="module")
def live(server_folder: Path) -> Iterator[EmbeddedLive]:
    with EmbeddedLive(server_folder / "live-of-privacy", free_port(), "stand-in") as server:
        yield server


@pytest.fixture
def settings(kafka_bootstrap: str, live: EmbeddedLive, database: DatabaseUrls) -> Settings:
    """A platform of its own: topics, a live server with both aircraft, the database."""
    put_live(live)
    return new_settings(
        kafka_bootstrap, kafka_partitions=1, tile38_urls=live.url, postgres_url=database["postgres_url"]
    )


def put_live(server: EmbeddedLive) -> None:
    time_ms = now_ms()
    flown = [replace(reports(icao24, callsign=None)[0], time=time_ms) for icao24 in (FORGOTTEN, OTHER)]
    with closing(Connection(*parse_shards([server.url]))) as connection:
        connection.ask([("DROP", "flights")])
        connection.send(pack_sets(columns_of(flown), time_ms, 60_000), len(flown))
        connection.settle()


def forgotten(settings: Settings, connection: psycopg.Connection, **subject: Any) -> Forgotten:
    return forget(
        settings, connection, Subject.of(**subject), reason="a letter", actor="ann", wait=lambda _seconds: None
    )


def in_live(url: str) -> set[str]:
    with closing(Connection(*parse_shards([url]))) as connection:
        (reply,) = connection.ask([("SCAN", "flights", "IDS")])
    return {item.decode().partition("-")[0] for item in reply[1]}


def aircraft(connection: psycopg.Connection) -> dict[str, set[str]]:
    """Who is in each table that tells of somebody."""
    found = {}
    for table in ("positions", "chunks", "flights", "statistics_flights"):
        rows = connection.execute(
            f"SELECT DISTINCT analytics.icao24_text(flight_id >> 32) FROM history.{table}".encode()  # noqa: S608
        )
        found[table] = {icao24 for (icao24,) in rows}
    return found


def samples(connection: psycopg.Connection) -> str:
    """What verdicts keep as examples."""
    row = connection.execute("SELECT failures::text FROM ops.verdicts WHERE NOT passed").fetchone()
    assert row is not None
    assert [failure["name"] for failure in json.loads(row[0])] == ["x", "y", "z"]
    return str(row[0])


def faults(connection: psycopg.Connection) -> list[Any]:
    proofs = prove_hours(connection, TOPIC, [PACKED, RAW], Progress(until=datetime.now(UTC)))
    return [fault for proof in proofs for fault in proof.faults]


def test_by_address_from_every_store(settings: Settings, past: psycopg.Connection) -> None:
    assert faults(past) == []
    done = forgotten(settings, past, icao24=FORGOTTEN)
    assert aircraft(past) == {
        "positions": {OTHER, "4ca003"},
        "chunks": {OTHER},
        "flights": {OTHER, "4ca003"},
        "statistics_flights": {OTHER, "4ca003"},
    }
    assert past.execute("SELECT kafka_offset FROM ops.quarantine").fetchall() == [(1_000_001,)]
    assert FORGOTTEN not in samples(past)
    assert OTHER in samples(past)
    assert "SECRET1" in samples(past)
    assert in_live(settings.tile38_urls[0]) == {OTHER}
    assert [(m.key(), m.value()) for m in records(settings, TOPIC_REPORTS)] == [(FORGOTTEN.encode(), None)]
    assert done.counts == {
        "positions": 300,
        "hours": 2,
        "flights": 1,
        "statistics": 2,
        "samples": 1,
        "quarantine": 1,
        "live": 1,
    }
    audit = past.execute("SELECT actor, action, subject, reason, detail FROM ops.audit ORDER BY audit_id").fetchall()
    assert [row[:4] for row in audit] == [
        ("ann", "block", FORGOTTEN, "forgotten: a letter"),
        ("ann", "forget", FORGOTTEN, "a letter"),
    ]
    assert audit[1][4]["erased"]["positions"] == 300
    assert audit[1][4]["left"] == {}


def test_out_of_any_live_server(live_server: EmbeddedLive) -> None:
    put_live(live_server)
    settings = Settings.read(tile38_urls=live_server.url)
    assert erase_live(settings, Target(callsign="SECRET1")) == 0
    assert erase_live(settings, Target(addresses=frozenset({FORGOTTEN}))) == 1
    assert in_live(live_server.url) == {OTHER}


def test_what_is_left_can_still_be_proved(settings: Settings, past: psycopg.Connection) -> None:
    forgotten(settings, past, icao24=FORGOTTEN)
    assert faults(past) == []
    rows, sums = past.execute("SELECT chunk_rows, chunk_checksum FROM ops.hours WHERE hour = %s", [PACKED]).fetchone()  # type: ignore[misc]
    left = read_chunks(past, PACKED)
    assert (rows, sums) == (len(left), checksum(left)) == (150, sums)


def test_it_does_not_come_back_from_kafka(settings: Settings, past: psycopg.Connection) -> None:
    forgotten(settings, past, icao24=FORGOTTEN)
    again = fill(past, [*reports(FORGOTTEN, callsign="SECRET1"), report(OTHER, BORN, (BORN + 1) * 1000)])
    assert (again.rows, again.withheld) == (1, 300)
    assert len(read_hour(past, RAW)) == 151
    assert faults(past) == []


def test_to_forget_twice_does_no_harm(settings: Settings, past: psycopg.Connection) -> None:
    first = forgotten(settings, past, icao24=FORGOTTEN)
    second = forgotten(settings, past, icao24=FORGOTTEN)
    assert second.rule_ids == first.rule_ids
    assert not +second.counts
    assert past.execute("SELECT count(*) FROM ops.audit WHERE action = 'forget'").fetchone() == (2,)


def test_by_callsign_whole_flights_of_whoever_flew_it(settings: Settings, past: psycopg.Connection) -> None:
    forgotten(settings, past, callsign="secret1")
    assert list(aircraft(past).values()) == [{OTHER}] * 4
    assert FORGOTTEN not in samples(past)
    assert "SECRET1" not in samples(past)
    assert {m.key() for m in records(settings, TOPIC_REPORTS)} == {FORGOTTEN.encode(), b"4ca003"}
    assert fill(past, [report("4ca009", BORN, BORN * 1000, callsign="SECRET1")]).withheld == 1


def test_by_registration_by_its_address(settings: Settings, past: psycopg.Connection) -> None:
    with pytest.raises(FlightError, match="name the address"):
        forgotten(settings, past, registration="EI-ABC")
    past.execute("INSERT INTO reference.aircraft (icao24, registration) VALUES (%s, 'EI-ABC')", [FORGOTTEN])
    assert past.execute("SELECT count(*) FROM ops.block_list").fetchone() == (0,)
    assert forgotten(settings, past, registration="ei-abc").addresses == [FORGOTTEN]
    past.execute("UPDATE reference.aircraft SET icao24 = '3c0001'")  # the registration passes on, the rule does not
    assert fill(past, reports(FORGOTTEN)).withheld == 300
    assert fill(past, reports("3c0001")).withheld == 0
    assert FORGOTTEN not in set.union(*aircraft(past).values())


def test_a_store_that_is_down_is_told_and_the_others_are_done(settings: Settings, past: psycopg.Connection) -> None:
    away = settings.model_copy(update={"tile38_urls": ("redis://127.0.0.1:1",)})
    with pytest.raises(NotAllForgottenError, match=r"live: .*run it again"):
        forgotten(away, past, icao24=FORGOTTEN)
    assert FORGOTTEN not in set.union(*aircraft(past).values())
    assert [m.key() for m in records(settings, TOPIC_REPORTS)] == [FORGOTTEN.encode()]
    audit = past.execute("SELECT detail FROM ops.audit WHERE action = 'forget'").fetchone()
    assert audit is not None
    assert list(audit[0]["left"]) == ["live"]


def test_it_waits_until_feeds_have_seen_the_rule(settings: Settings, past: psycopg.Connection) -> None:
    waited: list[float] = []
    subject = Subject(icao24=FORGOTTEN)
    forget(settings, past, subject, reason="a letter", actor="ann", wait=waited.append)
    assert 5 < waited[0] <= 12
    past.execute("UPDATE ops.block_list SET added_at = added_at - interval '1 minute'")
    forget(settings, past, subject, reason="a letter", actor="ann", wait=waited.append)
    assert waited[1] == 0


def test_the_command_and_the_job_do_the_same(
    settings: Settings, past: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("flight_platform.privacy.forget.SEEN_WITHIN_S", -2.0)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_info:
        main(["forget", FORGOTTEN, "--reason", "a letter", "--by", "ann", "--yes", "--json"])
    assert exit_info.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["erased"]["positions"] == 300
    assert told["addresses"] == [FORGOTTEN]
    config = {"ops": {"forget_it": {"config": {"icao24": OTHER, "reason": "a letter", "by": "bob"}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = forget_aircraft.execute_in_process(
            run_config=config, resources={"platform": Platform()}, instance=instance
        )
    assert result.success
    assert result.output_for_node("forget_it")["positions"] == 300
    assert set.union(*aircraft(past).values()) == {"4ca003"}
    assert past.execute("SELECT DISTINCT actor FROM ops.audit ORDER BY 1").fetchall() == [("ann",), ("bob",)]


def test_a_batch_that_had_begun_before_the_rule_is_erased_too(
    settings: Settings, past: psycopg.Connection, database: DatabaseUrls
) -> None:
    """Its writer has seen no rule, and commits behind it: whoever forgets waits for that."""
    with psycopg.connect(database["postgres_url"]) as writing, ThreadPoolExecutor(1) as pool:
        writing.execute("UPDATE ops.offsets SET next_offset = next_offset")  # what a batch does first
        writing.execute(
            "INSERT INTO history.positions (flight_id, time, received_at, latitude_e7, longitude_e7)"
            " VALUES (%s, %s, now(), 0, 0)",
            [make_flight_id(address_of(FORGOTTEN), BORN), RAW + HOUR / 2],
        )
        forgetting = pool.submit(forgotten, settings, past, icao24=FORGOTTEN)
        with psycopg.connect(database["postgres_url"], autocommit=True) as watching:
            wait_until(lambda: waiting(watching), what="it waits for the batch")
        writing.commit()
        assert forgetting.result(timeout=60).counts["positions"] == 301
    assert FORGOTTEN not in set.union(*aircraft(past).values())


def waiting(connection: psycopg.Connection) -> bool:
    """Whether somebody waits for the table of offsets."""
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE relation = 'ops.offsets'::regclass AND NOT granted"
    ).fetchone()
    return row != (0,)
