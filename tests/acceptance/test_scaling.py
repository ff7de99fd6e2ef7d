"""The promise: processes may come and go and topics may grow under load, and nobody can tell from the data.

One process of each stage becomes three, the topics grow from four partitions to six, three become one again. All the
while receivers send, and somebody looks at the live store: no flight is ever put back to an older report.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from flight_platform.codec import decode
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import partition_of
from flight_platform.live.client import LiveReader
from flight_platform.model import address_of, icao24_of, make_flight_id
from flight_platform.names import TOPIC_POSITIONS, TOPIC_REPORTS
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from streaming.growing import grow
from tests.feeds import Receiver, feeding
from tests.processes import new_settings, records, stage

pytestmark = [pytest.mark.acceptance, pytest.mark.alone]

STAGES = {"track": "assigned", "live": "partitions_assigned", "history": "partitions_placed"}
AIRCRAFT = 20  # of each receiver: 1,000 reports/s, on a machine that has the time
FIRST = 0x400000
PATIENCE_S = 120
Report = tuple[str, int]  # address, Unix milliseconds


class Onlooker(threading.Thread):
    """Reads all flights again and again, and remembers each that was put back."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="onlooker", daemon=True)
        self._settings, self._over = settings, threading.Event()
        self.newest: dict[int, int] = {}
        self.put_back: list[str] = []
        self.looks = 0

    def __enter__(self) -> "Onlooker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        asyncio.run(self._look())

    async def _look(self) -> None:
        reader = LiveReader(self._settings)
        while not self._over.is_set():
            for position in (await reader.all()).positions:
                flight_id = position.flight_id or 0
                before = self.newest.get(flight_id, 0)
                if position.time < before:
                    self.put_back.append(f"{position.icao24} by {before - position.time} ms")
                self.newest[flight_id] = position.time
            self.looks += 1
            await asyncio.sleep(0.05)
        await reader.close()


def expected(receivers: list[Receiver]) -> dict[int, set[int]]:
    """The times of each flight: every aircraft is in the air all the while."""
    times: dict[str, set[int]] = {}
    for receiver in receivers:
        for icao24, time_ms in receiver.sent:
            times.setdefault(icao24, set()).add(time_ms)
    return {make_flight_id(address_of(icao24), min(seen) // 1000): seen for icao24, seen in times.items()}


def in_history(url: str) -> list[tuple[int, int]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT flight_id, round(extract(epoch FROM time) * 1000)::bigint FROM history.positions"
        ).fetchall()


def rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(sum(rows), 0) FROM ops.ledger").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def receiving(settings: Settings, folder: Path, number: int) -> Iterator[Receiver]:
    """A receiver that sends, and its feed."""
    own = folder / f"feed-{number}"
    own.mkdir()
    with (
        Receiver(FIRST + number * AIRCRAFT, AIRCRAFT) as receiver,
        feeding(settings, own, "sbs", "--url", receiver.url, "--name", f"receiver-{number}") as feed,
    ):
        receiver.sending.set()
        wait_until(lambda: receiver.sent, PATIENCE_S, "the feed listens")
        yield receiver
        assert feed.terminate() == 0


@pytest.mark.timeout(600)  # a machine that does other work as well
def test_one_to_three_to_one_with_a_growth(
    kafka_bootstrap: str, postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    with (
        migrated_database(postgres_server) as urls,
        EmbeddedLive(tmp_path / "live-server", free_port()) as live_server,
    ):
        settings = new_settings(
            kafka_bootstrap, kafka_partitions=4, tile38_urls=live_server.url, live_window_s=600, **urls
        )
        with Onlooker(settings) as onlooker:
            receivers = _come_and_go(settings, tmp_path)
            flights = expected(receivers)
            sent = sum(map(len, flights.values()))
            wait_until(lambda: rows(settings.postgres_url.get_secret_value()) >= sent, PATIENCE_S, "all in history")
            newest = {flight_id: max(times) for flight_id, times in flights.items()}
            wait_until(lambda: onlooker.newest == newest, PATIENCE_S, "live equals the newest report of each flight")
        assert onlooker.put_back == []
        _check_history(urls["postgres_url"], flights)
        _check_kafka(settings, flights)


def _come_and_go(settings: Settings, folder: Path) -> list[Receiver]:
    """One of each, three of each, more partitions, one of each; returns what sent meanwhile."""
    url = settings.postgres_url.get_secret_value()
    with ExitStack() as first, ExitStack() as feeds:
        kept = [first.enter_context(stage(name, settings, folder)) for name in STAGES]
        receivers = [feeds.enter_context(receiving(settings, folder, 0))]
        wait_until(lambda: rows(url) > 500, PATIENCE_S, "reports flow")

        with ExitStack() as more:
            added = [more.enter_context(stage(name, settings, folder)) for name in STAGES for _ in range(2)]
            receivers += [feeds.enter_context(receiving(settings, folder, number)) for number in (1, 2)]
            wait_until(lambda: all(p.said(STAGES[p.stage]) for p in added), PATIENCE_S, "they share the work")

            grown = grow(settings, 6, patience_s=PATIENCE_S)
            assert (grown.before, grown.partitions) == (4, 6)
            _wait_for_flow(settings, receivers, "after the growth")
            for process in added:
                assert process.terminate() == 0
        _wait_for_flow(settings, receivers, "with one of each again")
        for receiver in receivers:
            receiver.sending.clear()
        sent = sum(map(len, expected(receivers).values()))
        wait_until(lambda: rows(url) >= sent, PATIENCE_S, "all that was sent")
        feeds.close()
        wait_until(lambda: all(p.alive for p in kept), 1, "nobody died")
        _wait_for_live(settings, receivers)
        assert [process.terminate() for process in kept] == [0, 0, 0]
    return receivers


def _wait_for_flow(settings: Settings, receivers: list[Receiver], when: str) -> None:
    """Waits until what is sent from now on is in history."""
    url = settings.postgres_url.get_secret_value()
    sent = sum(len(receiver.sent) for receiver in receivers)
    wait_until(lambda: rows(url) >= sent + 1_000, PATIENCE_S, f"reports flow {when}")


def _wait_for_live(settings: Settings, receivers: list[Receiver]) -> None:
    newest = {flight_id: max(times) for flight_id, times in expected(receivers).items()}

    async def shown() -> dict[int, int]:
        reader = LiveReader(settings)
        answer = await reader.all()
        await reader.close()
        assert not answer.partial
        return {position.flight_id or 0: position.time for position in answer.positions}

    wait_until(lambda: asyncio.run(shown()) == newest, PATIENCE_S, "live is whole")


def _check_history(url: str, flights: dict[int, set[int]]) -> None:
    found = in_history(url)
    assert len(found) == len(set(found))
    by_flight: dict[int, set[int]] = {}
    for flight_id, time_ms in found:
        by_flight.setdefault(flight_id, set()).add(time_ms)
    assert by_flight.keys() == flights.keys(), "no flight has another id than undisturbed"
    assert by_flight == flights
    with psycopg.connect(url) as connection:
        ranges = connection.execute(
            "SELECT kafka_partition, from_offset, to_offset FROM ops.ledger ORDER BY kafka_partition, from_offset"
        ).fetchall()
    ends: dict[int, int] = {}
    for partition, start, end in ranges:
        assert start == ends.get(partition, 0), "the ranges of the ledger tile from the first offset on"
        ends[partition] = end
    assert ends.keys() == set(range(6))


def _check_kafka(settings: Settings, flights: dict[int, set[int]]) -> None:
    """Each report once, in the partition of its aircraft, and no aircraft's reports overtook each other."""
    reports = sorted(records(settings, TOPIC_REPORTS), key=lambda m: (m.timestamp()[1], m.offset()))
    sent: dict[str, list[int]] = {}
    for message in reports:
        report = decode(message.value() or b"")
        assert message.partition() in {partition_of(report.icao24, count) for count in (4, 6)}
        sent.setdefault(report.icao24, []).append(report.time)
    assert all(times == sorted(times) for times in sent.values())
    passed = Counter(
        ((report := decode(message.value() or b"")).flight_id, report.time)
        for message in records(settings, TOPIC_POSITIONS)
    )
    assert set(passed.values()) == {1}, "judged once"
    assert sent.keys() == {icao24_of(flight_id >> 32) for flight_id in flights}
