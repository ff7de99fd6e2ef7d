"""The source `readsb` against a real server: everything that can go wrong, and the way back."""

import itertools
import json
import socket
import threading
from typing import Any

import pytest
from prometheus_client import REGISTRY

from flight_platform.settings import Settings
from streaming.sources import http, open_source
from streaming.sources.base import Batch
from tests.integration.sources.collecting import STOP_S, collect, polls, seconds_to_stop
from tests.integration.sources.web import Said, in_turn, web

pytestmark = pytest.mark.integration

NOW_S = 1_700_000_000


def aircraft_json(after_s: float, *entries: dict[str, Any]) -> bytes:
    """An aircraft.json of so many seconds later."""
    return json.dumps({"now": NOW_S + after_s, "messages": 1, "aircraft": list(entries)}).encode()


def aircraft(**more: Any) -> dict[str, Any]:
    """An entry."""
    return {"hex": "3c6444", "lat": 50.5, "lon": 8.5, "seen_pos": 0} | more


def placed(batches: list[Batch], count: int) -> bool:
    """Whether there are so many positions."""
    return sum(len(batch.positions) for batch in batches) >= count


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("r-401", "401", Said(401)),
        ("r-404", "404", Said(404)),
        ("r-500", "500", Said(500, b"oops")),
        ("r-html", "undecodable", Said(200, b"<!DOCTYPE html><html></html>")),
        ("r-empty", "undecodable", Said(200, b"")),
        ("r-half", "undecodable", Said(200, aircraft_json(0, aircraft())[:60])),
        ("r-other", "undecodable", Said(200, b'{"some": "thing"}')),
        ("r-429", "429", Said(429, headers={"Retry-After": "0.1"})),
    ],
)
def test_a_failed_poll_is_counted_and_tried_again(
    name: str, code: str, said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    with web(in_turn(said, said, Said(200, aircraft_json(5, aircraft())))) as server:
        source = open_source(
            "readsb", Settings.read(), url=server.url + "/data/aircraft.json", name=name, interval=0.05
        )
        batches = collect(source, lambda batches: placed(batches, 1))
    assert [p.icao24 for batch in batches for p in batch.positions] == ["3c6444"]
    assert (polls(name, code), polls(name, "200")) == (2, 1)
    throttled = REGISTRY.get_sample_value("flight_ingest_throttled_total", {"source": name})
    assert throttled == (2 if code == "429" else 0)
    logged = capsys.readouterr().out
    assert logged.count("poll_failed") == 2
    assert "poll_recovered" in logged


def test_pauses_grow() -> None:
    with web(in_turn(Said(500))) as server:
        source = open_source("readsb", Settings.read(), url=server.url, name="r-grow", interval=1)
        stop = threading.Event()
        threading.Timer(3, stop.set).start()
        assert list(source.batches(stop)) == []
    times = [asked.at_s for asked in server.asked]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 2
    assert gaps[-1] > gaps[0] * 1.4  # each is twice the one before, less a quarter at most
    assert server.asked[0].path == "/data/aircraft.json"  # an address without a path means a receiver's


def test_an_empty_sky_is_a_good_answer() -> None:
    with web(in_turn(Said(200, aircraft_json(5)))) as server:
        source = open_source("readsb", Settings.read(), url=server.url, name="r-quiet", interval=0.05)
        batches = collect(source, lambda batches: len(batches) >= 2)
    assert {batch.clock_ms for batch in batches} == {(NOW_S + 5) * 1000}
    assert polls("r-quiet", "200") == 2


def test_a_position_is_passed_on_once_and_a_broken_entry_is_refused() -> None:
    first = aircraft_json(0, aircraft(), aircraft(hex="abcdef", lat="abc"))
    again = aircraft_json(1, aircraft(seen_pos=1))
    moved = aircraft_json(2, aircraft(lat=50.6))
    with web(in_turn(Said(200, first), Said(200, again), Said(200, again), Said(200, moved))) as server:
        source = open_source("readsb", Settings.read(), url=server.url, name="r-once", interval=0.02)
        batches = collect(source, lambda batches: placed(batches, 2))
    assert [p.latitude for batch in batches for p in batch.positions] == [50.5, 50.6]
    assert [len(batch.refused) for batch in batches] == [1, 0, 0, 0]
    assert all(len(batch.positions) == len(batch.originals) for batch in batches)


def test_a_refused_connection_and_the_way_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    source = open_source("readsb", Settings.read(), url=f"http://127.0.0.1:{port}/", name="r-refused", interval=0.05)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    assert list(source.batches(stop)) == []
    assert polls("r-refused", "unreachable") >= 2


def test_a_server_that_does_not_answer_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.Http.__init__, "__defaults__", (0.2,))
    good = Said(200, aircraft_json(5, aircraft()))
    with web(in_turn(Said(after_s=5), good)) as server:
        source = open_source("readsb", Settings.read(), url=server.url, name="r-slow", interval=0.05)
        collect(source, lambda batches: placed(batches, 1))
    assert polls("r-slow", "timeout") == 1


def test_stop_does_not_wait_for_an_answer() -> None:
    with web(in_turn(Said(after_s=8))) as server:
        source = open_source("readsb", Settings.read(), url=server.url, name="r-stop", interval=1)
        assert seconds_to_stop(source, after_s=0.3) < STOP_S
