"""Readers here are patient: other tests run beside these, and what is asked is the answer, not how soon it comes."""

import pytest


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has the processor last is not away."""
    monkeypatch.setattr("flight_platform.live.link.TIME_LIMIT_S", 30.0)
    monkeypatch.setattr("flight_platform.live.link.CONNECT_LIMIT_S", 30.0)
    monkeypatch.setattr("flight_platform.live.connection.TIME_LIMIT_S", 30.0)
