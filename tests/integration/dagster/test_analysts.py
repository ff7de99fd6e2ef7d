"""The sensor that ends analysts' sessions, on a real database: nobody who keeps to the time is ended."""

import dagster as dg
import psycopg
import pytest

from assets import analysts as module
from assets.analysts import analysts
from assets.resources import Platform
from flight_platform.history import roles
from flight_platform.testing import DatabaseUrls

pytestmark = pytest.mark.integration


def test_it_ends_what_is_overlong_and_nothing_else(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        dg.build_sensor_context(resources={"platform": Platform(overrides=dict(database))}) as context,
        psycopg.connect(database["analyst_url"]) as session,
    ):
        session.execute("SELECT 1")
        reason = analysts(context)
        assert isinstance(reason, dg.SkipReason)
        assert reason.skip_message == "all keep to their time"
        session.execute("SELECT 1")

        def at_once(connection: psycopg.Connection, url: str) -> list[roles.Ended]:
            return roles.end_overlong(connection, url, transaction_s=0)

        monkeypatch.setattr(module, "end_overlong", at_once)
        reason = analysts(context)
        assert isinstance(reason, dg.SkipReason)
        assert reason.skip_message == "1 sessions ended"
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
