"""The history API as a process over a real Postgres with flights in it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.partitions import ensure_hour
from flight_platform.model import format_flight_id, make_flight_id
from flight_platform.testing import migrated_database
from tests.integration.serving.processes import Reader, reader

pytestmark = pytest.mark.integration

START = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
WINDOW = "from=2026-01-31T12:00:00Z&to=2026-01-31T14:00:00Z"
INSERT = """
    INSERT INTO history.positions (flight_id, time, received_at, latitude_e7, longitude_e7, altitude_ft,
        ground_speed_dkt, track_ddeg, kind, on_ground, callsign, source)
    VALUES (%s, %s, %s, %s, %s, %s, 4200, 0, 1, %s, %s, 'paris')
"""


def _flight(address: int, callsign: str, longitude: float, points: int) -> tuple[str, list[tuple[object, ...]]]:
    """A flight northward from the equator, a minute and 0.1 degrees a point, that climbs 1,000 ft a point."""
    flight_id = make_flight_id(address, int(START.timestamp()))
    rows: list[tuple[object, ...]] = []
    for number in range(points):
        time = START + timedelta(minutes=number)
        altitude_ft, degrees = number * 1000, number * 1_000_000
        on_ground = number == 0
        rows.append((flight_id, time, time, degrees, round(longitude * 1e7), altitude_ft, on_ground, callsign))
    return format_flight_id(flight_id), rows


def _looks_at_other_forms(history: Reader, flight: str) -> None:
    """The same flight as a file, with fewer points, at an instant, and as OpenSky tells it."""
    for form, start in (("gpx", b"<?xml"), ("kml", b"<?xml"), ("csv", b"flight_id,"), ("parquet", b"PAR1")):
        answer = history.client.get(f"/v1/flights/{flight}/track?format={form}")
        assert (answer.status_code, answer.content[: len(start)]) == (200, start)
    assert history.get(f"/v1/flights/{flight}/track?error_m=50&error_ft=50")["count"] == 2
    assert history.get(f"/v1/flights?{WINDOW}&registration=D-AIBE")["flights"] == []
    month = "from=2026-01-05T00:00:00Z&to=2026-02-01T00:00:00Z"
    (named,) = history.get(f"/v1/flights?{month}&registration=daibd")["flights"]
    assert (named["flight_id"], named["registration"]) == (flight, "D-AIBD")
    assert history.get(f"/v1/flights?{month}&icao24=3c6444")["count"] == 1
    assert history.get(f"/v1/flights?{WINDOW}&departure_airport=EDDF")["flights"] == []
    sky = history.get("/v1/positions?time=2026-01-31T12:40:30Z&bbox=7,-1,9,10")
    assert [(p["flight_id"], p["time"]) for p in sky["positions"]] == [(flight, "2026-01-31T12:40:00.000Z")]
    assert history.get("/v1/positions?time=2026-01-31T10:00:00Z")["positions"] == []
    assert history.get("/v1/gaps")["gaps"] == []
    begin = int(START.timestamp())
    assert len(history.get(f"/api/flights/all?begin={begin}&end={begin + 7200}")) == 6
    assert len(history.get(f"/api/tracks/all?icao24=3c6444&time={begin + 60}")["path"]) == 61
    assert history.get(f"/api/flights/arrival?airport=EDDF&begin={begin}&end={begin + 60}", 404)["status"] == 404


def _has_its_files_in_the_audit(history: Reader, flight: str, url: str) -> None:
    path = f"/v1/flights/{flight}/track?format=csv"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE ops.audit")
        assert history.client.get(path, headers={"Flight-Key": "map-of-bern"}).status_code == 200
        rows = connection.execute("SELECT actor, action, reason, detail FROM ops.audit").fetchall()
        ((actor, action, reason, detail),) = rows
        assert actor.startswith("key map-of-bern, loopback address as ")
        assert (action, reason) == ("export", "history API")
        assert (detail["question"], detail["rows"], detail["format"]) == (f"GET {path}", 61, "csv")
        connection.execute("ALTER FUNCTION analytics.audit_export RENAME TO audit_away")
        answer = history.get(path, 503)
        assert (answer["type"], "audit" in answer["detail"]) == ("/docs#not-recorded", True)
        connection.execute("ALTER FUNCTION analytics.audit_away RENAME TO audit_export")


def _is_ready_while_positions_come(history: Reader, url: str) -> None:
    told = "INSERT INTO ops.heartbeats (stage, instance, started_at, beat_at, watermark, rss_bytes, note, pid) "
    assert "no history consumer" in history.get("/readyz", 503)["detail"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(told + "VALUES ('history', 'history-1', now(), now(), now() - interval '2 h', 1, '', 1)")
        problem = history.get("/readyz", 503)
        assert (problem["type"], "the live window is 3600 s" in problem["detail"]) == ("/docs#data-stale", True)
        connection.execute(told + "VALUES ('history', 'history-2', now(), now(), now(), 1, '', 1)")
    assert history.get("/readyz") == {"status": "ready"}


def test_flights_their_figures_and_tracks(postgres_server: EmbeddedPostgres) -> None:
    first, first_rows = _flight(0x3C6444, "DLH9", 8.0, 61)
    others = [_flight(0x4B1800 + number, f"SWR{number}", 179.0, 3) for number in range(5)]
    with migrated_database(postgres_server) as urls:
        with psycopg.connect(urls["postgres_url"]) as connection:
            for hours in range(2):
                ensure_hour(connection, START + timedelta(hours=hours))
            connection.cursor().executemany(INSERT, [*first_rows, *(row for _, rows in others for row in rows)])
            connection.execute("INSERT INTO reference.aircraft (icao24, registration) VALUES ('3c6444', 'D-AIBD')")
        with reader("history", live_window_s=3600, **urls) as history:
            listed: list[str] = []
            cursor = ""
            while True:
                page = history.get(f"/v1/flights?{WINDOW}&limit=2{cursor}")
                listed += [flight["flight_id"] for flight in page["flights"]]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            assert sorted(listed) == sorted([first, *(flight_id for flight_id, _ in others)])

            def found(filters: str) -> list[str]:
                return [flight["flight_id"] for flight in history.get(f"/v1/flights?{WINDOW}&{filters}")["flights"]]

            assert found("callsign=dlh9") == [first]
            assert found("icao24=3c6444") == [first]
            assert found("bbox=7,-1,9,10") == [first]
            assert len(found("bbox=170,-1,-170,10")) == 5
            assert history.get(f"/v1/aircraft/3c6444/flights?{WINDOW}")["flights"][0]["positions"] == 61

            figures = history.get(f"/v1/flights/{first}")
            assert figures["maximum_altitude_ft"] == 60_000
            assert figures["average_ground_speed_kt"] == 420
            assert figures["duration_s"] == 3600
            assert figures["distance_nm"] == pytest.approx(360.2, abs=0.5)  # six degrees of latitude

            track = history.get(f"/v1/flights/{first}/track")
            assert track["count"] == len(track["positions"]) == 61
            assert track["positions"][0] == {
                "flight_id": first,
                "icao24": "3c6444",
                "time": "2026-01-31T12:30:00.000Z",
                "received_at": "2026-01-31T12:30:00.000Z",
                "latitude": 0.0,
                "longitude": 8.0,
                "altitude_ft": 0,
                "geometric_altitude_ft": None,
                "on_ground": True,
                "ground_speed_kt": 420.0,
                "track_deg": 0.0,
                "vertical_rate_fpm": None,
                "callsign": "DLH9",
                "squawk": None,
                "emergency": None,
                "kind": "adsb",
                "source": "paris",
            }
            line = history.get(f"/v1/flights/{first}/track?format=geojson")["geometry"]
            assert (line["type"], line["coordinates"][10]) == ("LineString", [8.0, 1.0])
            _looks_at_other_forms(history, first)
            _has_its_files_in_the_audit(history, first, urls["postgres_url"])
            band = history.get(f"/v1/flights/{first}/altitude-band?low_ft=10000&high_ft=20000")
            assert (band["seconds"], band["entries"]) == (600, 1)
            for path in ("", "/track", "/altitude-band?low_ft=0&high_ft=1"):
                assert history.get(f"/v1/flights/3c6444-00000001{path}", 404)["type"] == "/docs#no-such-flight"
            _is_ready_while_positions_come(history, urls["postgres_url"])
            document = history.get("/openapi.json")
            required = document["components"]["schemas"]["FlightFigures"]["required"]
            assert set(required) == figures.keys()
            assert set(document["components"]["schemas"]["AltitudeBand"]["required"]) == band.keys()
            assert set(document["components"]["schemas"]["HistoryFlight"]["required"]) == page["flights"][0].keys()
            assert history.stop() == 0
