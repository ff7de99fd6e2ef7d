"""The loop of every source that is asked again and again: pauses, growing pauses, counts. What is asked is not its
matter.

poll() ──► Outcome ──► good: yield, wait for the next turn
                  └──► bad: log what to do, wait longer each time (or as long as the far end asked for)
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from flight_platform.telemetry import INGEST_LAST_SUCCESS, INGEST_POLL_DURATION, INGEST_POLLS, INGEST_THROTTLED
from streaming.sources.base import Batch

log = structlog.get_logger()

Answer = TypeVar("Answer")

LONGEST_PAUSE_S: Final = 60.0
_LOOK_S: Final = 0.25  # how often a waiting thread looks at `stop`; half a second is promised


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one poll: a batch, or a problem with what to do about it."""

    code: str  # the metric's label: an HTTP status or a word of a short list
    batch: Batch | None = None
    problem: str = ""
    pause_s: float | None = None  # how long to wait, where the far end has said so
    throttled: bool = False


class Pauses:
    """Pauses that double from the first to the longest, shortened by chance so that many feeds do not come at once."""

    def __init__(self, first_s: float) -> None:
        self._first_s = self._next_s = first_s

    def next_s(self) -> float:
        """The next pause."""
        pause_s = self._next_s * random.uniform(0.75, 1)  # noqa: S311  # no secret
        self._next_s = min(self._next_s * 2, LONGEST_PAUSE_S)
        return pause_s

    def reset(self) -> None:
        """Starts again with the first: something went well."""
        self._next_s = self._first_s


def interruptible(call: Callable[[], Answer], stop: threading.Event) -> Answer | None:
    """The answer of a call that may block for long; None once `stop` is set. What the call raises is raised here."""
    answers: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # it is raised in the thread that waits
            answers.put((None, error))

    threading.Thread(target=run, name="poll", daemon=True).start()
    while not stop.is_set():
        try:
            answer, error = answers.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        if error is not None:
            raise error
        return answer
    return None


def poll_until_stopped(
    poll: Callable[[], Outcome],
    stop: threading.Event,
    *,
    name: str,
    interval_s: Callable[[], float],
    first_pause_s: float,
) -> Iterator[Batch]:
    """The batches of a source that is polled at an interval (asked for anew each time), until `stop` is set."""
    pauses, failures = Pauses(first_pause_s), 0
    INGEST_THROTTLED.labels(name)  # 0 until it happens: what is absent raises no alert
    while not stop.is_set():
        started = time.monotonic()
        outcome = interruptible(poll, stop)
        if outcome is None:
            return
        INGEST_POLL_DURATION.labels(name).observe(time.monotonic() - started)
        INGEST_POLLS.labels(name, outcome.code).inc()
        if outcome.throttled:
            INGEST_THROTTLED.labels(name).inc()
        if outcome.batch is None:
            failures += 1
            pause_s = pauses.next_s() if outcome.pause_s is None else outcome.pause_s
            log.warning(
                "poll_failed",
                source=name,
                code=outcome.code,
                problem=outcome.problem,
                failures=failures,
                next_try_in_s=round(pause_s, 2),
            )
        else:
            if failures:
                log.info("poll_recovered", source=name, failures=failures)
            failures = 0
            pauses.reset()
            INGEST_LAST_SUCCESS.labels(name).set_to_current_time()
            yield outcome.batch
            pause_s = max(0.0, interval_s() - (time.monotonic() - started))
        if stop.wait(pause_s):
            return
