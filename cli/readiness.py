"""Waiting: until a server answers, a process beats, an address gives what it should. A program that dies ends it."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from cli.supervisor import Supervisor, SupervisorError
from flight_platform.errors import FlightError, ServerUnavailableError
from flight_platform.settings import Settings

_POLL_S: Final = 0.25
_TAIL_LINES: Final = 8
_LINE_WIDTH: Final = 240  # a log line can hold a whole traceback


def wait_for(
    what: str, ready: Callable[[], bool], supervisor: Supervisor, program: str, timeout_s: float = 180
) -> None:
    """Waits until `ready`; raises SupervisorError, with the end of the log, when the program dies or takes too long.

    The time is for a machine that is busy with other things: what cannot work dies, and ends the wait at once.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            if ready():
                return
        except (FlightError, OSError):
            pass
        _check(supervisor, program)
        if time.monotonic() > end:
            raise SupervisorError(f"{what} is not there after {timeout_s:g} s{tail(supervisor, program)}")
        time.sleep(_POLL_S)


def _check(supervisor: Supervisor, program: str) -> None:
    for state in supervisor.states():
        if state.name == program and state.state in {"FATAL", "BACKOFF", "EXITED"}:
            reason = f" ({state.problem})" if state.problem else ""
            raise SupervisorError(f"{program} does not start{reason}{tail(supervisor, program)}")


def tail(supervisor: Supervisor, program: str) -> str:
    """The end of a program's log, for an error message."""
    log = supervisor.log_of(program)
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if log.exists() else []
    return (
        "".join([f". Its log {log} ends:", *(f"\n    {line[:_LINE_WIDTH]}" for line in lines)])
        if lines
        else f"; see {log}"
    )


def answers_json(url: str, timeout_s: float = 2) -> Any:
    """The JSON that an address gives; raises ServerUnavailableError for anything but a good answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  # our own loopback address
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise ServerUnavailableError(f"{url} does not answer ({error})") from error


def answers_ok(url: str, timeout_s: float = 2) -> bool:
    """Whether an address gives a 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def beats(settings: Settings, instance: str) -> bool:
    """Whether a process has beaten within the last seconds."""
    from cli.postgres import connected, query, rows

    with connected(settings.postgres_url.get_secret_value()) as connection:
        listed = rows(connection, query("status_heartbeats"))
    return any(b["instance"] == instance and b["beat_age_s"] < 5 for b in listed)
