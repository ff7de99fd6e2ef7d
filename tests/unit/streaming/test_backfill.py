"""What of a recording goes into a stretch. That it fills gaps: tests/integration/dagster/test_backfill.py."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from flight_platform.model import SOURCE_NAME, Position
from streaming.backfill import Stretch
from streaming.sources.base import Batch, facts_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Recording:
    """A report a second for a minute from noon, in two batches, and one that cannot be decoded."""

    repeatable = True
    record_format = "report"

    def __init__(self, name: str = "roof") -> None:
        self.name = name

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        assert not stop.is_set()
        yield Batch()
        for begins in (0, 30):
            positions = [position(begins + second) for second in range(30)]
            yield Batch(positions=positions, originals=[p.time for p in positions])


def position(second: int) -> Position:
    at = int((NOON + timedelta(seconds=second)).timestamp() * 1000)
    return Position(icao24="3c6444", time=at, received_at=at, latitude=48, longitude=2, source="roof")


def played(stretch: Stretch) -> list[int]:
    batches = list(stretch.batches(threading.Event()))
    for batch in batches:
        assert [p.time for p in batch.positions] == batch.originals
    return [round(p.time / 1000 - NOON.timestamp()) for batch in batches for p in batch.positions]


def test_only_the_stretch_is_fed_its_end_excluded() -> None:
    stretch = Stretch(Recording(), NOON + timedelta(seconds=20), NOON + timedelta(seconds=40))
    assert played(stretch) == list(range(20, 40))
    assert stretch.reports == 20


def test_it_knows_what_the_whole_recording_covers() -> None:
    stretch = Stretch(Recording(), NOON + timedelta(seconds=20), NOON + timedelta(seconds=25))
    played(stretch)
    assert (stretch.first_ms, stretch.last_ms) == (position(0).time, position(59).time)


def test_a_recording_of_another_time_brings_nothing() -> None:
    stretch = Stretch(Recording(), NOON - timedelta(hours=1), NOON)
    assert played(stretch) == []


def test_its_feed_is_not_taken_for_the_source_that_it_fills() -> None:
    for name in ("roof", "r" * 32):
        stretch = Stretch(Recording(name), NOON, NOON)
        assert stretch.name != name
        assert SOURCE_NAME.fullmatch(stretch.name)
        assert facts_of(stretch).repeatable
