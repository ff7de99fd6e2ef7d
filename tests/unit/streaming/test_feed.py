"""The feed's judgement: what is possible and timely goes on, the rest is refused with its bytes and reason."""

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from flight_platform.model import Position
from flight_platform.names import Reason
from flight_platform.settings import Settings
from streaming.feed import dry_run
from streaming.sifting import Limits, refusal, sift
from streaming.sources.base import Batch, Refused

NOW_MS = 1_700_000_000_000
LIMITS = Limits(lateness_s=86_400, future_s=30)
GOOD = Position(icao24="3c6444", time=NOW_MS - 1000, received_at=NOW_MS, latitude=49.0, longitude=2.5, source="test")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"latitude": 90.5}, Reason.OUT_OF_RANGE),
        ({"vertical_rate_fpm": 118_898}, Reason.OUT_OF_RANGE),
        ({"time": NOW_MS + 29_000}, None),
        ({"time": NOW_MS + 31_000}, Reason.IN_FUTURE),
        ({"time": NOW_MS - 86_300_000}, None),
        ({"time": NOW_MS - 86_500_000}, Reason.TOO_LATE),
    ],
)
def test_what_is_refused(change: dict[str, int], reason: Reason | None) -> None:
    problem = refusal(replace(GOOD, **change), NOW_MS, LIMITS)  # type: ignore[arg-type]
    assert (problem[0] if problem else None) == reason


def test_a_backfill_may_be_of_any_age() -> None:
    old = replace(GOOD, time=NOW_MS - 10 * 365 * 86_400_000)
    assert refusal(old, NOW_MS, Limits.of(Settings.read(), backfill=True)) is None
    assert refusal(old, NOW_MS, Limits.of(Settings.read(), backfill=False)) is not None


def test_refused_reports_keep_what_they_were_decoded_from() -> None:
    bad = replace(GOOD, longitude=200.0)
    own = Refused(original=b"{", reason=Reason.UNDECODABLE, detail="half an object")
    batch = Batch(positions=[GOOD, bad], originals=[b"good", {"lon": 200}], refused=[own])
    taken, refused = sift(batch, NOW_MS, LIMITS)
    assert taken == [GOOD]
    assert [(r.reason, r.original) for r in refused] == [
        (Reason.UNDECODABLE, b"{"),
        (Reason.OUT_OF_RANGE, b'{"lon": 200}'),
    ]


class Recording:
    """A source that yields what it is given."""

    name = "test"
    repeatable = True

    def __init__(self, *batches: Batch) -> None:
        self._batches = batches

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        yield from self._batches


def test_dry_run_prints_positions_and_refusals() -> None:
    jump = replace(GOOD, time=NOW_MS, latitude=-30.0)
    bad = replace(GOOD, latitude=99.0)
    positions = [GOOD, GOOD, jump, bad]
    out, err = io.StringIO(), io.StringIO()
    dry_run(Settings.read(), Recording(Batch(positions=positions, originals=["x"] * 4)), out=out, err=err)
    printed = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(p["icao24"], p["flight_id"]) for p in printed] == [("3c6444", f"3c6444-{GOOD.time // 1000:08x}")]
    reasons = [json.loads(line)["reason"] for line in err.getvalue().splitlines()]
    assert sorted(reasons) == ["implausible", "out_of_range", "repeat"]
