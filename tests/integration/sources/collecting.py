"""Reading from a source until there is enough, or until it has taken too long."""

import threading
import time
from collections.abc import Callable

from prometheus_client import REGISTRY

from streaming.sources.base import Batch, Source

STOP_S = 0.75  # half a second is promised; the rest is for a busy machine


def collect(source: Source, enough: Callable[[list[Batch]], bool], *, within_s: float = 20) -> list[Batch]:
    """The batches of a source until they are enough; it is stopped, and not closed, as a feed does it."""
    stop, batches = threading.Event(), list[Batch]()
    timer = threading.Timer(within_s, stop.set)
    timer.start()
    try:
        for batch in source.batches(stop):
            batches.append(batch)
            if enough(batches):
                stop.set()
    finally:
        timer.cancel()
    assert enough(batches), f"not enough after {within_s} s: {batches}"
    return batches


def seconds_to_stop(source: Source, *, after_s: float) -> float:
    """How long a source that brings nothing takes to end once it is told to stop."""
    stop, told = threading.Event(), list[float]()

    def tell() -> None:
        told.append(time.monotonic())
        stop.set()

    threading.Timer(after_s, tell).start()
    assert [batch for batch in source.batches(stop) if batch.positions] == []
    return time.monotonic() - told[0]


def polls(source: str, code: str) -> float:
    """How often a source has been counted with that answer."""
    return REGISTRY.get_sample_value("flight_ingest_polls_total", {"source": source, "code": code}) or 0
