"""Both APIs held to their own description by a tool that makes requests of them: no 500, no undocumented answer.

The same cases each time, and few of them; docs/api.md has the command for thousands, over real stores.
"""

from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flight_platform.history.queries import Portions
from flight_platform.kafka import now_ms
from flight_platform.settings import Settings
from serving.active import make_active
from serving.history import make_history
from serving.history_answers import FlightFigures, HistoryFlight
from serving.live_answers import LiveFlight
from tests.unit.serving.test_active import FakeReader, _position
from tests.unit.serving.test_history import FLIGHT, FakeHistory

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KNOWN = {"flight_id": FLIGHT, "icao24": "3c6444", "time": NOW, "received_at": NOW, "latitude": 47.0, "longitude": 8.0}
KNOWN |= {"first_time": NOW, "last_time": NOW, "positions": 1}


def row(shape: Any) -> dict[str, Any]:
    """A row of that shape of which only what must be is known."""
    numbers = {name: 0 for name, field in shape.model_fields.items() if field.annotation in (int, float)}
    return dict.fromkeys(shape.model_fields) | numbers | {k: v for k, v in KNOWN.items() if k in shape.model_fields}


class WholeHistory(FakeHistory):
    """One flight, of which everything is told."""

    async def flight(self, flight_id: int) -> dict[str, Any] | None:
        return row(FlightFigures)

    def track(self, flight_id: int) -> Portions:
        return self._portions(self.points)

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> dict[str, Any] | None:
        band = {"flight_id": FLIGHT, "icao24": "3c6444", "low_ft": low_ft, "high_ft": high_ft, "entries": 0}
        return band | {"seconds": 0.0, "share": None, "known_seconds": 0.0, "unknown_seconds": None}


FLIGHTS = [_position(number, altitude_ft=number) for number in range(1, 4)]
ACTIVE = make_active(Settings.read(), FakeReader(*FLIGHTS, watermark_ms=now_ms() + 3_600_000))
HISTORY = make_history(
    Settings.read(),
    WholeHistory([row(HistoryFlight)], [row(LiveFlight) | {"frame": 0, "inside": True}]),
    lambda: NOW,
)
active = schemathesis.openapi.from_asgi("/openapi.json", ACTIVE)
history = schemathesis.openapi.from_asgi("/openapi.json", HISTORY)
few = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# That south is not north of north, a maximum not below its minimum, an end not before its start, no schema can say.
PATIENCE_S = 120  # where only a defect takes so long: the machine may be busy with other things
UNSAID: list[Any] = [positive_data_acceptance]


@active.exclude(path="/v1/live/events").parametrize()  # a good answer has no end there
@few
def test_the_active_api_answers_as_documented(case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(excluded_checks=UNSAID, timeout=PATIENCE_S)


@history.parametrize()
@few
def test_the_history_api_answers_as_documented(case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(excluded_checks=UNSAID, timeout=PATIENCE_S)
