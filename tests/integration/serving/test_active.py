"""The active API as a process over real live servers."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flight_platform.codec import decode_columns, encode, to_record
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive, Kind
from flight_platform.kafka import now_ms
from flight_platform.live.writer import LiveWriter
from flight_platform.model import Emergency, Position, format_flight_id, make_flight_id
from flight_platform.model import Kind as PositionKind
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from tests.integration.serving.processes import reader

pytestmark = pytest.mark.integration


def _position(address: int, latitude: float, longitude: float, **fields: object) -> Position:
    time_ms = now_ms() - 500
    return Position(
        icao24=f"{address:06x}",
        time=time_ms,
        received_at=time_ms + 40,
        latitude=latitude,
        longitude=longitude,
        flight_id=make_flight_id(address, time_ms // 1000 - 60),
        source="paris",
        **fields,  # type: ignore[arg-type]
    )


@contextmanager
def _filled(settings: Settings, positions: list[Position]) -> Iterator[None]:
    """The live servers with these flights and a watermark, as a live consumer leaves them."""
    columns, bad = decode_columns([encode(position) for position in positions])
    assert bad == []
    writer = LiveWriter(settings)
    try:
        wait_until(writer.unfilled, what="the live server to be reached")
        wait_until(lambda: (writer.fill(columns, now_ms()), not writer.away())[1], what="all servers to be filled")
        assert writer.write_watermarks({0: now_ms()}, 1)
        yield
    finally:
        writer.close()


def test_what_was_written_is_what_is_read(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url)
    zurich = _position(0x4B1800, 47.46, 8.55, on_ground=True, altitude_ft=0, ground_speed_kt=0.0, track_deg=0.0)
    alps = _position(
        0x3C6444,
        46.5,
        8.0,
        on_ground=False,
        altitude_ft=37_000,
        vertical_rate_fpm=0,
        callsign="DLH9",
        squawk="0700",
        emergency=Emergency.NONE,
        kind=PositionKind.ADSB,
    )
    fiji = _position(0xC88001, -18.0, 179.5)
    tonga = _position(0xC88002, -18.0, -179.5)
    flights = [zurich, alps, fiji, tonga]
    with _filled(settings, flights), reader("active", tile38_urls=live_server.url) as active:
        world = active.get("/v1/live")
        assert {flight["flight_id"]: flight for flight in world["flights"]} == {
            record["flight_id"]: record for record in map(to_record, flights)
        }
        assert (world["partial"], world["missing"], world["truncated"], world["count"]) == (False, [], False, 4)
        assert 0 <= world["age_s"] < settings.live_window_s

        def names(url: str) -> list[str]:
            return [flight["icao24"] for flight in active.get(url)["flights"]]

        assert sorted(names("/v1/live?bbox=5.5,45.5,11,48.2")) == ["3c6444", "4b1800"]
        assert sorted(names("/v1/live?bbox=175,-30,-175,-10")) == ["c88001", "c88002"]
        assert names("/v1/live?on_ground=true") == ["4b1800"]
        assert names("/v1/live?max_altitude_ft=0") == ["4b1800"]
        assert names("/v1/live?callsign=dl&bbox=0,0,20,60") == ["3c6444"]
        assert names("/v1/live/nearby?lat=47.4&lon=8.5&radius_nm=100") == ["4b1800", "3c6444"]
        assert names("/v1/live/nearby?lat=47.4&lon=8.5&radius_nm=100&limit=1") == ["4b1800"]
        assert sorted(names("/v1/live/nearby?lat=-18&lon=180&radius_nm=60")) == ["c88001", "c88002"]
        assert alps.flight_id is not None
        assert active.get(f"/v1/live/{format_flight_id(alps.flight_id)}") == to_record(alps)
        assert active.get("/v1/live/3c6444-00000001", 404)["type"] == "/docs#not-live"
        assert active.get("/readyz") == {"status": "ready"}
        assert active.stop() == 0


def test_one_of_two_live_servers_away_is_a_partial_answer_and_none_is_an_error(live_kind: Kind, tmp_path: Path) -> None:
    with (
        EmbeddedLive(tmp_path / "a", free_port(), live_kind) as first,
        EmbeddedLive(tmp_path / "b", free_port(), live_kind) as second,
    ):
        urls = f"{first.url},{second.url}"
        flights = [_position(0x3C6400 + number, 47.0, 8.0) for number in range(40)]
        with reader("active", tile38_urls=urls) as active:
            with _filled(Settings.read(tile38_urls=urls), flights):
                assert active.get("/v1/live")["count"] == 40
            second.stop()
            body = active.get("/v1/live")
            assert body["partial"] is True
            assert f"127.0.0.1:{second.port}" in body["missing"]
            assert 0 < body["count"] < 40
            assert active.get("/readyz")["status"] == "ready"
            first.stop()
            assert f"127.0.0.1:{first.port}" in active.get("/v1/live", 503)["detail"]
            assert f"127.0.0.1:{first.port}" in active.get("/readyz", 503)["detail"]
            assert active.get("/healthz") == {"status": "ok"}
            first.start()
            wait_until(lambda: active.client.get("/readyz").status_code == 200, 20, "readiness again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_without_a_store_starts_says_so_and_ends_cleanly(number: signal.Signals) -> None:
    with reader("active", tile38_urls=f"redis://127.0.0.1:{free_port()}") as active:
        problem = active.get("/readyz", 503)
        assert problem["status"] == 503
        assert active.client.get("/metrics").text.count("flight_http_requests_total{") > 0
        assert active.stop(number) == 0
