"""The source `opensky` against a real server: box, token, credits, throttling."""

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flight_platform.settings import Settings
from streaming.sources import open_source, opensky
from streaming.sources.base import Batch, Source
from tests.integration.sources.collecting import collect, polls
from tests.integration.sources.web import Asked, Said, Web, in_turn, web

pytestmark = pytest.mark.integration

TIME_S = 1_634_471_390


def states(*places: tuple[str, float, float], after_s: int = 0, left: int | None = None) -> Said:
    """An answer with aircraft at these longitudes and latitudes, and the credits that are left."""
    rows = [
        [
            hex_,
            "DLH4TR  ",
            "Germany",
            TIME_S + after_s,
            TIME_S,
            longitude,
            latitude,
            1000.0,
            False,
            100.0,
            90.0,
            0.0,
            None,
            None,
            "1000",
            False,
            0,
        ]
        for hex_, longitude, latitude in places
    ]
    content = {"time": TIME_S + after_s, "states": rows or None}
    headers = {} if left is None else {"X-Rate-Limit-Remaining": str(left)}
    return Said(200, json.dumps(content).encode(), headers)


HERE = ("3c6444", 8.5, 50.5)


def opened(server: Web, name: str, **options: Any) -> Source:
    """A source at that server, which is its own token server."""
    settings = Settings.read(opensky_client_id="me", opensky_client_secret="hush")
    return open_source("opensky", settings, url=server.url, name=name, token_url=server.url + "/token", **options)


def with_tokens(*answers: Said, life_s: float = 1_800) -> tuple[list[str], "Answerer"]:
    """A server that grants tokens t1, t2, ... and gives these answers to who has one."""
    granted: list[str] = []
    return granted, Answerer(granted, in_turn(*answers), life_s)


class Answerer:
    """Grants tokens at /token; everything else needs the newest one."""

    def __init__(self, granted: list[str], answer: object, life_s: float) -> None:
        self._granted, self._answer, self._life_s = granted, answer, life_s

    def __call__(self, asked: Asked) -> Said:
        if asked.path == "/token":
            form = parse_qs(asked.form)
            assert form == {"grant_type": ["client_credentials"], "client_id": ["me"], "client_secret": ["hush"]}
            self._granted.append(f"t{len(self._granted) + 1}")
            return Said(200, json.dumps({"access_token": self._granted[-1], "expires_in": self._life_s}).encode())
        if asked.authorization != f"Bearer {self._granted[-1]}":
            return Said(401)
        assert callable(self._answer)
        said = self._answer(asked)
        assert isinstance(said, Said)
        return said


def positions(batches: list[Batch]) -> int:
    """How many positions there are."""
    return sum(len(batch.positions) for batch in batches)


def test_the_box_is_asked_for_and_what_is_outside_is_left_out() -> None:
    with web(in_turn(states(HERE, ("abcdef", 100.0, 0.0)))) as server:
        source = open_source(
            "opensky", Settings.read(), url=server.url, bbox="5.9,45.8,10.5,50.8", interval=0.05, name="o-box"
        )
        batches = collect(source, lambda batches: positions(batches) >= 1)
    asked = urlsplit(server.asked[0].path)
    assert asked.path == "/api/states/all"
    assert parse_qs(asked.query) == {"lamin": ["45.8"], "lomin": ["5.9"], "lamax": ["50.8"], "lomax": ["10.5"]}
    assert server.asked[0].authorization is None
    assert [p.icao24 for p in batches[0].positions] == ["3c6444"]


def test_a_token_is_asked_for_once_and_used() -> None:
    granted, answer = with_tokens(states(HERE), states(), states(HERE, after_s=5))
    with web(answer) as server:
        collect(opened(server, "o-token", interval=0.02), lambda batches: positions(batches) >= 2)
    assert granted == ["t1"]
    assert polls("o-token", "200") == 3


def test_a_token_is_renewed_before_it_expires() -> None:
    granted, answer = with_tokens(states(HERE), *[states()] * 10, states(HERE, after_s=5), life_s=0.4)
    with web(answer) as server:
        collect(opened(server, "o-renew", interval=0.1), lambda batches: positions(batches) >= 2)
    assert len(granted) >= 3
    assert polls("o-renew", "401") == 0


def test_a_token_that_is_refused_is_replaced_at_once() -> None:
    granted, answer = with_tokens(states(HERE), states(HERE, after_s=5))

    def revoking(asked: Asked) -> Said:
        said = answer(asked)
        if asked.path != "/token" and len(granted) == 1:
            granted.append("t2")  # somebody else has asked for one, and t1 is worthless now
        return said

    with web(revoking) as server:
        started = time.monotonic()
        collect(opened(server, "o-revoked", interval=0.02), lambda batches: positions(batches) >= 2)
    assert time.monotonic() - started < 4  # and not after the pause of a failed poll
    assert granted == ["t1", "t2", "t3"]
    assert polls("o-revoked", "401") == 0


@pytest.mark.parametrize(
    ("name", "refusal", "code", "advice"),
    [
        ("o-bad-secret", Said(401), "token_401", "FLIGHT_OPENSKY_CLIENT_SECRET"),
        ("o-no-token", Said(200, b"{}"), "token_undecodable", "granted no token"),
        ("o-html-token", Said(200, b"<html>"), "token_undecodable", "HTML"),
    ],
)
def test_refused_credentials_say_what_to_do(
    name: str,
    refusal: Said,
    code: str,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(opensky, "_FIRST_PAUSE_S", 0.05)
    granted, answer = with_tokens(states(HERE))
    refusals = [refusal, refusal]
    with web(lambda asked: refusals.pop() if refusals and asked.path == "/token" else answer(asked)) as server:
        collect(opened(server, name, interval=0.02), lambda batches: positions(batches) >= 1)
    assert polls(name, code) == 2
    logged = capsys.readouterr().out
    assert advice in logged
    assert "hush" not in logged
    assert granted == ["t1"]


@pytest.mark.parametrize("said", [Said(500), Said(200, b"<html>"), Said(200, b'{"time": 1}'), Said(503)])
def test_other_failures_are_tried_again(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opensky, "_FIRST_PAUSE_S", 0.05)
    with web(in_turn(said, states(), states(HERE))) as server:
        source = open_source("opensky", Settings.read(), url=server.url, interval=0.02, name="o-fail")
        batches = collect(source, lambda batches: positions(batches) >= 1)
    assert [len(batch.positions) for batch in batches] == [0, 1]
    assert batches[0].clock_ms == TIME_S * 1000


def test_a_throttled_poll_waits_as_long_as_it_is_told() -> None:
    busy = Said(429, headers={"X-Rate-Limit-Retry-After-Seconds": "1"})
    with web(in_turn(busy, states(HERE))) as server:
        source = open_source("opensky", Settings.read(), url=server.url, interval=0.02, name="o-429")
        collect(source, lambda batches: positions(batches) >= 1)
    assert server.asked[1].at_s - server.asked[0].at_s >= 0.99
    assert polls("o-429", "429") == 1


def test_credits_that_are_left_hold_the_polls_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with web(in_turn(states(HERE, left=172_800), states(HERE, after_s=5, left=172_796))) as server:
        source = open_source("opensky", Settings.read(), url=server.url, interval=0.02, name="o-credits")
        stopped = time.monotonic()
        collect(source, lambda batches: len(batches) >= 1)
        assert time.monotonic() - stopped < 5
        budget = source._budget  # type: ignore[attr-defined]
        assert budget.interval_s(time.monotonic()) == 10  # 86,400 s / 43,200 polls, but answers change every 10 s
        budget.told(400, time.monotonic())
        assert source._pause_s() == pytest.approx(864, rel=0.01)  # type: ignore[attr-defined]
    assert "interval_too_short" in capsys.readouterr().out


def test_the_real_network_is_never_asked_more_often_than_credits_allow() -> None:
    source = open_source("opensky", Settings.read(), interval=1)
    assert source._pause_s() == 864  # type: ignore[attr-defined]
    boxed = open_source("opensky", Settings.read(), bbox="5,45,10,50")
    assert boxed._pause_s() == 216  # type: ignore[attr-defined]
    slow = open_source("opensky", Settings.read(), interval=3_600)
    assert slow._pause_s() == 3_600  # type: ignore[attr-defined]
