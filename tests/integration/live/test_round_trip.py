"""A position report that went through a live server is the same, whatever its fields hold."""

import hiredis
import pytest
from hypothesis import HealthCheck, given, settings

from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.live.connection import Connection
from flight_platform.live.fields import command, fields_of, position_of
from flight_platform.live.pack import pack_sets
from flight_platform.live.shards import parse_shards
from flight_platform.model import Emergency, Kind, Position, format_flight_id
from tests.integration.live.samples import BATCHES, ODD_TEXTS, columns_of, sample

pytestmark = pytest.mark.integration

WINDOW_MS = 600_000
NOW_MS = 1_700_000_000_000


def written_and_read(url: str, positions: list[Position], *, plain: bool = False) -> list[Position]:
    connection = Connection(*parse_shards([url]))
    columns = columns_of(positions)
    if plain:
        packed = b"".join(hiredis.pack_command(tuple(command(columns, row, WINDOW_MS))) for row in range(len(columns)))
    else:
        packed = pack_sets(columns, min(position.time for position in positions), WINDOW_MS)
    connection.send(packed, len(positions))
    ids = [format_flight_id(position.flight_id or 0) for position in positions]
    replies = connection.ask([("GET", "flights", text, "WITHFIELDS", "POINT") for text in ids])
    connection.close()
    pairs = zip(ids, replies, strict=True)
    return [position_of(text.encode(), point, fields_of(fields)) for text, (point, fields) in pairs]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(positions=BATCHES)
def test_any_report_comes_back_as_it_was(live_server: EmbeddedLive, positions: list[Position]) -> None:
    assert written_and_read(live_server.url, positions) == positions


@pytest.mark.parametrize("plain", [False, True])
def test_odd_texts_stay_texts(live_server: EmbeddedLive, plain: bool) -> None:
    positions = [
        sample(number, NOW_MS, callsign=text if len(text.encode()) <= 8 else None, source=text)
        for number, text in enumerate(ODD_TEXTS)
    ]
    assert written_and_read(live_server.url, positions, plain=plain) == positions


def test_what_becomes_unknown_does_not_keep_its_last_value(live_server: EmbeddedLive) -> None:
    everything = sample(
        1,
        NOW_MS,
        geometric_altitude_ft=1,
        on_ground=True,
        ground_speed_kt=1.5,
        track_deg=0.5,
        vertical_rate_fpm=-64,
        squawk="7700",
        emergency=Emergency.GENERAL,
        kind=Kind.MLAT,
    )
    assert written_and_read(live_server.url, [everything]) == [everything]
    nothing = Position(
        icao24=everything.icao24,
        flight_id=everything.flight_id,
        time=NOW_MS + 1,
        received_at=NOW_MS + 2,
        latitude=0.0,
        longitude=0.0,
    )
    assert written_and_read(live_server.url, [nothing]) == [nothing]
