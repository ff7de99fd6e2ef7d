"""Asset `history/statistics` on a real database: figures, rates and pictures of each hour."""

from datetime import UTC, datetime

import dagster as dg
import psycopg
import pytest

from assets.partitions import key_of, range_tags
from assets.resources import Platform
from assets.statistics import history_statistics
from flight_platform.testing import DatabaseUrls
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

HOURS = [datetime(2026, 3, 1, 14, tzinfo=UTC), datetime(2026, 3, 1, 15, tzinfo=UTC)]


def test_each_hour_of_a_run_is_counted_and_shown(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    for hour in HOURS:
        start = int(hour.timestamp())
        fill(connection, [report("4ca001", start, (start + n) * 1000) for n in range(90)])
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [history_statistics],
            resources={"platform": Platform(overrides={"postgres_url": database["postgres_url"]})},
            instance=instance,
            tags=range_tags(*HOURS),
        )
    assert result.success
    told = {event.partition: event.materialization.metadata for event in result.get_asset_materialization_events()}
    assert told.keys() == {key_of(hour) for hour in HOURS}
    first, last = (told[key_of(hour)] for hour in HOURS)
    assert (first["dagster/row_count"].value, first["aircraft"].value, first["flights"].value) == (90, 1, 1)
    assert str(first["reports by minute"].value).startswith("`█▅▁")
    assert "| source | synthetic | 90 | 1 | 1 |" in str(first["by source and kind"].value)
    assert "data:image/png;base64," in str(last["coverage, 24 hours"].value)
    assert "| 01 14:00 | 90 |" in str(last["hour by hour"].value)
    counted = connection.execute("SELECT reports FROM history.statistics WHERE period = 'day' AND slice = 'all'")
    assert counted.fetchone() == (180,)
