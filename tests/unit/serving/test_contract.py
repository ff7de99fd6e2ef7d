"""The active API held to its own description by a tool that makes requests of it: no 500, no undocumented answer."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from flight_platform.kafka import now_ms
from flight_platform.settings import Settings
from serving.active import make_active
from tests.unit.serving.test_active import FakeReader, _position

FLIGHTS = [_position(number, altitude_ft=number) for number in range(1, 4)]
READER = FakeReader(*FLIGHTS, watermark_ms=now_ms() + 3_600_000)
schema = schemathesis.openapi.from_asgi("/openapi.json", make_active(Settings.read(), READER))


@schema.exclude(path="/v1/live/events").parametrize()  # a good answer has no end there
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_answered_is_what_is_documented(case: "schemathesis.Case[Any]") -> None:
    # That south is not north of north, and a maximum not below its minimum, no schema can say.
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
