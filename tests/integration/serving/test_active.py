"""The active API as a process over real live servers."""

import signal
from pathlib import Path

import pytest

from flight_platform.codec import to_record
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive, Kind
from flight_platform.model import Emergency, format_flight_id
from flight_platform.model import Kind as PositionKind
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from tests.integration.serving.filling import WITHIN_S, filled, position
from tests.integration.serving.processes import reader

pytestmark = pytest.mark.integration

EVERYWHERE = "-180,-90,180,90"


def test_what_was_written_is_what_is_read(live_server: EmbeddedLive) -> None:
    settings = Settings.read(tile38_urls=live_server.url)
    zurich = position(0x4B1800, 47.46, 8.55, on_ground=True, altitude_ft=0, ground_speed_kt=0.0, track_deg=0.0)
    alps = position(
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
    fiji = position(0xC88001, -18.0, 179.5)
    tonga = position(0xC88002, -18.0, -179.5)
    here, beyond = position(0xA00001, 89.8, 10.0), position(0xA00002, 89.8, -170.0)  # on either side of the pole
    flights = [zurich, alps, fiji, tonga, here, beyond]
    with filled(settings, *flights) as filling, reader("active", tile38_urls=live_server.url) as active:
        filling.stall(0)  # the API may have taken longer to start than a watermark lives
        wait_until(lambda: active.get("/v1/live")["partial"] is False, what="the snapshot to see all")
        world = active.get("/v1/live")
        assert {flight["flight_id"]: flight for flight in world["flights"]} == {
            record["flight_id"]: record for record in map(to_record, flights)
        }
        assert (world["partial"], world["missing"], world["truncated"], world["count"]) == (False, [], False, 6)
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
        assert sorted(names("/v1/live/nearby?lat=90&lon=0&radius_nm=30")) == ["a00001", "a00002"]
        assert sorted(names("/v1/live/nearby?lat=89.9&lon=10&radius_nm=30")) == ["a00001", "a00002"]
        assert sorted(names("/v1/live?bbox=-180,85,180,90")) == ["a00001", "a00002"]
        assert names("/v1/live?bbox=0,85,90,90") == ["a00001"]
        assert names("/v1/live/tiles/3/4/0.json") == ["a00001"]
        assert sorted(names("/v1/live/tiles/0/0/0.json")) == sorted(flight.icao24 for flight in flights)
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
        flights = [position(0x3C6400 + number, 47.0, 8.0) for number in range(40)]
        with reader("active", tile38_urls=urls) as active:
            with filled(Settings.read(tile38_urls=urls), *flights):
                wait_until(lambda: active.get("/v1/live")["count"] == 40, WITHIN_S, "all flights")
            second.stop()
            body = active.get(f"/v1/live?bbox={EVERYWHERE}")
            assert body["partial"] is True
            assert f"127.0.0.1:{second.port}" in body["missing"]
            assert 0 < body["count"] < 40
            assert active.get("/readyz")["status"] == "ready"
            wait_until(lambda: active.get("/v1/live")["partial"], WITHIN_S, "the snapshot to see it")
            first.stop()
            wait_until(lambda: active.client.get("/v1/live").status_code == 503, WITHIN_S, "the snapshot to see that")
            assert f"127.0.0.1:{first.port}" in active.get("/v1/live", 503)["detail"]
            assert active.client.get("/v1/live/tiles/0/0/0.json").status_code == 503
            assert f"127.0.0.1:{first.port}" in active.get("/readyz", 503)["detail"]
            assert active.get("/healthz") == {"status": "ok"}
            first.start()
            with filled(Settings.read(tile38_urls=first.url), *flights):
                wait_until(lambda: active.client.get("/readyz").status_code == 200, WITHIN_S, "readiness again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reader_without_a_store_starts_says_so_and_ends_cleanly(number: signal.Signals) -> None:
    with reader("active", tile38_urls=f"redis://127.0.0.1:{free_port()}") as active:
        problem = active.get("/readyz", 503)
        assert problem["status"] == 503
        assert active.client.get("/metrics").text.count("flight_http_requests_total{") > 0
        assert active.stop(number) == 0
