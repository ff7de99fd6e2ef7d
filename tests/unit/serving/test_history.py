"""The history API over a store of the test's own."""

import base64
import csv
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from flight_platform.history.queries import Portions
from flight_platform.model import format_flight_id, make_flight_id, parse_flight_id
from flight_platform.settings import Settings
from serving.history import make_history
from serving.history_answers import HistoryFlight
from serving.history_store import AHEAD, Export
from serving.live_answers import LiveFlight
from serving.parameters import Box
from serving.problems import unavailable
from tests.unit.serving.asking import ask

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FLIGHT = "3c6444-67a1b2c3"


def _cursor(*parts: object) -> str:
    """A cursor that somebody made up."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _flight(number: int) -> dict[str, Any]:
    first_seen = NOW - timedelta(minutes=number)
    return {
        "flight_id": format_flight_id(make_flight_id(0x3C6444, int(first_seen.timestamp()))),
        "icao24": "3c6444",
        "first_time": first_seen,
        "maximum_altitude_ft": None,
    }


def _point(second: int, latitude: float, longitude: float) -> dict[str, Any]:
    return {
        "time": NOW + timedelta(seconds=second),
        "latitude": latitude,
        "longitude": longitude,
        "altitude_ft": 0 if second == 0 else 1000,
        "callsign": "DLH9",
        "kind": "adsb",
        "emergency": None,
    }


class FakeHistory:
    """A history of these rows that remembers what it was asked."""

    def __init__(self, flights: Sequence[dict[str, Any]] = (), points: Sequence[Mapping[str, Any]] = ()) -> None:
        self.rows, self.points = list(flights), list(points)
        self.asked: list[dict[str, Any]] = []
        self.newest_age_s: float | None = 1
        self.exports: list[Export] = []
        self.records_exports = True

    async def age_s(self) -> float | None:
        return self.newest_age_s

    async def record_export(self, export: Export) -> None:
        if not self.records_exports:
            raise unavailable("the audit could not be written", "not-recorded")
        self.exports.append(export)

    async def flights(self, **question: Any) -> list[dict[str, Any]]:
        self.asked.append(question)
        rows = self.rows
        if question["after"] is not None:
            ids = [row["flight_id"] for row in rows]
            rows = rows[ids.index(question["after"]) + 1 :]
        return rows[: question["limit"]]

    async def flight(self, flight_id: int) -> dict[str, Any] | None:
        return next((row for row in self.rows if row["flight_id"] == format_flight_id(flight_id)), None)

    async def _portions(self, rows: Sequence[Mapping[str, Any]]) -> AsyncGenerator[list[dict[str, Any]]]:
        for start in range(0, len(rows), 2):
            yield [dict(row) for row in rows[start : start + 2]]

    def track(self, flight_id: int) -> Portions:
        return self._portions(self.points if flight_id == parse_flight_id(FLIGHT) else [])

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> dict[str, Any] | None:
        if format_flight_id(flight_id) != FLIGHT:
            return None
        return {"flight_id": FLIGHT, "low_ft": low_ft, "high_ft": high_ft, "seconds": Decimal("1.5")}

    def instant(self, **question: Any) -> Portions:
        self.asked.append(question)
        return self._portions(self.points[: question["limit"]])

    def replay(self, **question: Any) -> Portions:
        self.asked.append(question)
        return self._portions(self.points)

    async def gaps(self, from_time: datetime, to_time: datetime) -> list[dict[str, Any]]:
        self.asked.append({"from_time": from_time, "to_time": to_time})
        return []


def _ask(url: str, history: FakeHistory | None = None, *, now: datetime = NOW) -> httpx.Response:
    return ask(make_history(Settings.read(), history or FakeHistory(), lambda: now), url)


@pytest.mark.parametrize(("age_s", "status"), [(1, 200), (50, 200), (70, 503), (None, 503)])
def test_ready_is_a_history_that_is_fresh(age_s: float | None, status: int) -> None:
    history = FakeHistory()
    history.newest_age_s = age_s
    answer = _ask("/readyz", history)
    assert answer.status_code == status
    if status == 503:
        assert answer.json()["type"] == "/docs#data-stale"


def test_without_a_window_it_is_the_last_hour() -> None:
    history = FakeHistory()
    body = _ask("/v1/flights", history).json()
    assert history.asked[0]["from_time"] == NOW - timedelta(hours=1)
    assert history.asked[0]["to_time"] == NOW
    assert (body["from"], body["to"]) == ("2026-01-31T11:00:00.000Z", "2026-01-31T12:00:00.000Z")
    assert (body["flights"], body["count"], body["next"]) == ([], 0, None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T10:00:00Z",
        "2026-01-31T12:00:00%2B02:00",
        "2026-01-31T12:00:00+02:00",
        "2026-01-31T10:00:00",
        "1769853600",
    ],
)
def test_a_time_can_be_written_in_many_ways(text: str) -> None:
    history = FakeHistory()
    assert _ask(f"/v1/flights?from={text}", history).status_code == 200
    assert history.asked[0]["from_time"] == NOW - timedelta(hours=2)


def test_a_window_with_only_an_end_is_the_hour_before_it() -> None:
    history = FakeHistory()
    _ask("/v1/flights?to=2026-01-30T10:00:00Z", history)
    assert history.asked[0]["from_time"] == datetime(2026, 1, 30, 9, tzinfo=UTC)


def test_filters_reach_the_store() -> None:
    history = FakeHistory()
    answer = _ask("/v1/flights?icao24=3C6444&callsign=dlh9&bbox=170,-50,-170,-30", history)
    assert answer.status_code == 200, answer.text
    asked = history.asked[0]
    assert (asked["icao24"], asked["callsign"]) == ("3c6444", "DLH9")
    assert asked["bbox"] == Box(170, -50, -170, -30)


@pytest.mark.parametrize("window", ["from=2026-01-30T11:59:59Z", "from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z"])
def test_too_long_a_window_is_refused_with_what_to_narrow(window: str) -> None:
    history = FakeHistory()
    answer = _ask(f"/v1/flights?{window}", history)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "from"
    assert "24 hours" in answer.json()["detail"]
    assert history.asked == []


def test_a_day_is_not_too_long() -> None:
    assert _ask("/v1/flights?from=2026-01-30T12:00:00Z").status_code == 200


def test_one_aircraft_may_be_asked_about_for_a_month() -> None:
    history = FakeHistory()
    assert _ask("/v1/aircraft/3C6444/flights", history).status_code == 200
    assert history.asked[0]["icao24"] == "3c6444"
    assert history.asked[0]["from_time"] == NOW - timedelta(days=7)
    assert _ask("/v1/aircraft/3c6444/flights?from=2026-01-01T00:00:00Z").status_code == 200
    assert _ask("/v1/aircraft/3c6444/flights?from=2025-12-01T00:00:00Z").status_code == 422


def test_pages_follow_each_other_without_hole_or_double_though_time_goes_on() -> None:
    history = FakeHistory([_flight(number) for number in range(5)])
    seen: list[str] = []
    cursor, now = "", NOW
    while True:
        body = _ask(f"/v1/flights?limit=2{cursor}", history, now=now).json()
        seen += [flight["flight_id"] for flight in body["flights"]]
        if body["next"] is None:
            break
        cursor, now = f"&cursor={body['next']}", now + timedelta(minutes=10)
    assert len(seen) == len(set(seen)) == 5
    assert {(question["from_time"], question["to_time"]) for question in history.asked} == {
        (NOW - timedelta(hours=1), NOW)
    }


def test_a_full_last_page_has_no_next() -> None:
    body = _ask("/v1/flights?limit=5", FakeHistory([_flight(number) for number in range(5)])).json()
    assert (body["count"], body["next"]) == (5, None)


def test_one_flight_with_its_id_and_times_as_text() -> None:
    row = _flight(0)
    body = _ask(f"/v1/flights/3c6444-{int(NOW.timestamp()):08x}", FakeHistory([row])).json()
    assert body["flight_id"] == f"3c6444-{int(NOW.timestamp()):08x}"
    assert body["first_time"] == "2026-01-31T12:00:00.000Z"
    assert body["maximum_altitude_ft"] is None


@pytest.mark.parametrize("path", ["", "/track", "/track?format=geojson", "/altitude-band?low_ft=0&high_ft=1"])
def test_a_flight_that_history_does_not_have_is_a_404(path: str) -> None:
    answer = _ask(f"/v1/flights/3c6444-00000001{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#no-such-flight")


def test_a_track_in_our_own_json() -> None:
    body = _ask(f"/v1/flights/{FLIGHT}/track", FakeHistory(points=[_point(0, 1.5, 2.5), _point(10, 1.6, 2.6)])).json()
    assert (body["flight_id"], body["icao24"], body["count"]) == (FLIGHT, "3c6444", 2)
    assert body["positions"][0] == {
        "time": "2026-01-31T12:00:00.000Z",
        "latitude": 1.5,
        "longitude": 2.5,
        "altitude_ft": 0,
        "callsign": "DLH9",
        "kind": "adsb",
        "emergency": None,
    }


def test_a_track_as_geojson_has_longitude_first() -> None:
    points = [_point(0, 1.5, 2.5), _point(10, 1.6, 2.6)]
    answer = _ask(f"/v1/flights/{FLIGHT}/track?format=geojson", FakeHistory(points=points))
    assert answer.headers["content-type"] == "application/geo+json"
    feature = answer.json()
    assert feature["geometry"] == {"type": "LineString", "coordinates": [[2.5, 1.5], [2.6, 1.6]]}
    assert feature["properties"]["altitude_ft"] == [0, 1000]
    assert feature["properties"]["times"] == ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:10.000Z"]


def test_geojson_is_cut_at_the_antimeridian_in_both_directions() -> None:
    points = [_point(0, 10, 179), _point(20, 12, -179), _point(40, 10, 179)]
    feature = _ask(f"/v1/flights/{FLIGHT}/track?format=geojson", FakeHistory(points=points)).json()
    assert feature["geometry"] == {
        "type": "MultiLineString",
        "coordinates": [
            [[179, 10], [180.0, 11.0]],
            [[-180.0, 11.0], [-179, 12], [-180.0, 11.0]],
            [[180.0, 11.0], [179, 10]],
        ],
    }
    assert feature["properties"]["times"][0] == ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:10.000Z"]


def test_geojson_of_one_position_is_a_point() -> None:
    feature = _ask(f"/v1/flights/{FLIGHT}/track?format=geojson", FakeHistory(points=[_point(0, 1, 2)])).json()
    assert feature["geometry"] == {"type": "Point", "coordinates": [2, 1]}


def test_a_track_of_fewer_points_within_a_stated_error() -> None:
    history = FakeHistory(points=[_point(n * 10, 47 + n * 0.01, 8) | {"altitude_ft": 1000} for n in range(50)])
    whole = _ask(f"/v1/flights/{FLIGHT}/track", history).json()
    enough = _ask(f"/v1/flights/{FLIGHT}/track?error_m=50", history).json()
    assert (whole["count"], enough["count"]) == (50, 2)
    assert enough["positions"][-1] == whole["positions"][-1]


def test_the_sky_at_an_instant() -> None:
    history = FakeHistory(points=[_point(n, 47, 8) for n in range(5)])
    body = _ask("/v1/positions?time=2026-01-31T11:30:00Z&bbox=5,45,11,48&limit=3", history).json()
    assert (body["count"], body["truncated"], body["time"]) == (3, True, "2026-01-31T11:30:00.000Z")
    assert history.asked[0]["time"] == NOW - timedelta(minutes=30)
    body = _ask("/v1/positions?time=2026-01-31T11:30:00Z", history).json()
    assert (body["count"], body["truncated"], len(body["positions"])) == (5, False, 5)
    empty = _ask("/v1/positions?time=0").json()
    assert (empty["positions"], empty["count"], empty["truncated"]) == ([], 0, False)


WINDOW = "from=2026-01-31T12:00:00Z&to=2026-01-31T12:01:00Z"


def _replayed(frame: int, second: int, flight: str = FLIGHT, *, inside: bool = True) -> dict[str, Any]:
    return {
        **dict.fromkeys(LiveFlight.model_fields),
        "flight_id": flight,
        "time": NOW + timedelta(seconds=second),
        "frame": frame,
        "inside": inside,
    }


def test_a_replay_is_such_a_sky_at_each_step() -> None:
    other = "4b1800-67a1b2c3"
    points = [
        _replayed(0, -30),
        _replayed(0, -5, other),
        _replayed(1, 8, other),
        _replayed(3, 25, other, inside=False),  # it has left the box
        _replayed(6, 55, other),
    ]
    history = FakeHistory(points=points)
    answer = _ask(f"/v1/positions?{WINDOW}&step_s=10&bbox=5,45,11,48", history)
    assert answer.headers["content-type"] == "application/x-ndjson"
    asked = history.asked[0]
    assert (asked["from_time"], asked["to_time"], asked["step"]) == (
        NOW,
        NOW + timedelta(minutes=1),
        timedelta(seconds=10),
    )
    frames = [json.loads(line) for line in answer.text.splitlines()]
    assert [frame["time"] for frame in frames] == [
        f"2026-01-31T12:{s // 60:02}:{s % 60:02}.000Z" for s in range(0, 70, 10)
    ]
    assert [[p["flight_id"] for p in frame["positions"]] for frame in frames] == [
        [FLIGHT, other],
        [FLIGHT, other],
        [FLIGHT, other],
        [],  # the first was not heard of for a minute
        [],
        [],
        [other],
    ]
    assert frames[1]["positions"][1].keys() == LiveFlight.model_fields.keys()
    assert [(frame["count"], frame["truncated"]) for frame in frames[:4]] == [(2, False)] * 3 + [(0, False)]
    cut = _ask(f"/v1/positions?{WINDOW}&limit=1", history).text.splitlines()
    assert [json.loads(line)["truncated"] for line in cut[:4]] == [True, True, True, False]


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("/v1/positions", "time"),
        ("/v1/positions?from=0", "time"),
        ("/v1/positions?to=10", "from"),
        (f"/v1/positions?time=0&{WINDOW}", "time"),
        ("/v1/positions?from=0&to=3601", "from"),
        ("/v1/positions?from=0&to=3600&step_s=4", "step_s"),
        ("/v1/positions?from=10&to=10", "to"),
        ("/v1/positions?from=0&to=9&step_s=0", "step_s"),
    ],
)
def test_a_replay_that_cannot_be_says_what_to_narrow(url: str, field: str) -> None:
    history = FakeHistory()
    answer = _ask(url, history)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert history.asked == []


def test_a_replay_of_too_much_says_what_to_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.replay.MOST_POSITIONS", 13)
    points = [_replayed(0, 0, f"{number:06x}-67a1b2c3") for number in range(2)] + [_replayed(1, 10)] * 5
    refused = _ask(f"/v1/positions?{WINDOW}&step_s=10", FakeHistory(points=points))
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "bbox")
    assert "7 frames of some 2 flights" in refused.json()["detail"]
    assert "a smaller bbox, a longer step_s or less time" in refused.json()["detail"]
    assert _ask(f"/v1/positions?{WINDOW}&step_s=20", FakeHistory(points=points)).status_code == 200


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_export_of_flights_has_all_of_them(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.history.LARGEST_PAGE", 2)
    flights = [dict.fromkeys(HistoryFlight.model_fields) | _flight(number) for number in range(5)]
    history = FakeHistory(flights)
    answer = _ask(f"/v1/flights?format={form}&callsign=SWR1", history)
    lines = answer.text.splitlines()
    named = [json.loads(line) for line in lines] if form == "ndjson" else list(csv.DictReader(lines))
    assert [row["flight_id"] for row in named] == [flight["flight_id"] for flight in flights]
    assert {question["callsign"] for question in history.asked} == {"SWR1"}
    assert {question["limit"] for question in history.asked} == {2}
    assert _ask(f"/v1/flights?format={form}&limit=3").status_code == 422
    assert _ask(f"/v1/flights?format={form}").status_code == 200


@pytest.mark.parametrize("form", ["json", "ndjson", "geojson", "gpx", "kml", "csv", "parquet"])
def test_a_file_is_in_the_audit_before_it_is_sent(form: str) -> None:
    point = dict.fromkeys(LiveFlight.model_fields) | _point(0, 47.0, 8.0)
    history = FakeHistory(points=[point | {"received_at": NOW, "flight_id": FLIGHT, "icao24": "3c6444"}])
    url = f"/v1/flights/{FLIGHT}/track?format={form}"
    app = make_history(Settings.read(), history, lambda: NOW)
    assert ask(app, url, headers={"Flight-Key": "map-of-bern"}).status_code == 200
    exported = Export("key map-of-bern, loopback address", f"GET {url}", 1, form, "history API")
    is_file = form not in ("json", "ndjson")
    assert history.exports == ([exported] if is_file else [])
    history.records_exports = False
    answer = ask(app, url)
    assert answer.status_code == (503 if is_file else 200)
    if is_file:
        assert answer.json()["type"] == "/docs#not-recorded"


def test_what_is_no_file_is_not_in_the_audit() -> None:
    history = FakeHistory()
    assert _ask(f"/v1/flights/{FLIGHT}/track?format=csv", history).status_code == 404
    assert _ask("/v1/flights?format=ndjson", FakeHistory([_flight(1)])).status_code == 200
    assert history.exports == []


def test_of_a_long_file_the_audit_tells_what_was_read_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.history.LARGEST_PAGE", 1)
    flights = [dict.fromkeys(HistoryFlight.model_fields) | _flight(number) for number in range(AHEAD + 3)]
    history = FakeHistory(flights)
    answer = _ask("/v1/flights?format=csv", history)
    assert len(answer.text.splitlines()) == 1 + len(flights)
    assert [(export.rows, export.reason) for export in history.exports] == [
        (AHEAD, "history API, sent as it was read: these rows or more")
    ]


def test_gaps_of_the_last_day() -> None:
    history = FakeHistory()
    assert _ask("/v1/gaps", history).json()["gaps"] == []
    assert history.asked[0] == {"from_time": NOW - timedelta(days=1), "to_time": NOW}
    assert _ask("/v1/gaps?from=2026-01-31T12:00:00Z&to=2026-01-31T11:00:00Z").status_code == 422


def test_a_format_that_there_is_not_names_those_there_are() -> None:
    answer = _ask(f"/v1/flights/{FLIGHT}/track?format=shapefile")
    assert (answer.status_code, answer.json()["type"]) == (400, "/docs#format-not-available")
    assert "json, geojson" in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "format"


def test_an_altitude_band_may_start_at_sea_level() -> None:
    body = _ask(f"/v1/flights/{FLIGHT}/altitude-band?low_ft=0&high_ft=1000").json()
    assert body == {"flight_id": FLIGHT, "low_ft": 0, "high_ft": 1000, "seconds": 1.5}


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("/v1/flights?from=yesterday", "from"),
        ("/v1/flights?from=", "from"),
        ("/v1/flights?from=1e300", "from"),
        ("/v1/flights?to=nan", "to"),
        ("/v1/flights?to=0001-01-01", "to"),
        ("/v1/flights?to=9999-12-31", "to"),
        (f"/v1/flights?cursor={_cursor(0, 1, 5)}", "cursor"),
        (f"/v1/flights?cursor={_cursor(0, 1, 'x')}", "cursor"),
        (f"/v1/flights?cursor={_cursor(-1e18, 1, FLIGHT)}", "cursor"),
        ("/v1/flights?from=2026-01-31T11:00:00Z&to=2026-01-31T11:00:00Z", "to"),
        ("/v1/flights?from=2026-02-01T00:00:00Z", "from"),
        ("/v1/flights?icao24=DLH9", "icao24"),
        ("/v1/flights?callsign=?", "callsign"),
        ("/v1/flights?bbox=1,2", "bbox"),
        ("/v1/flights?limit=1001", "limit"),
        ("/v1/flights?limit=0", "limit"),
        ("/v1/flights?cursor=abc", "cursor"),
        ("/v1/flights?cursor=é", "cursor"),
        ("/v1/flights?form=1", "form"),
        ("/v1/aircraft/xyz/flights", "icao24"),
        ("/v1/aircraft/3c6444/flights?bbox=1,2,3,4", "bbox"),
        ("/v1/flights/DLH9", "flight_id"),
        ("/v1/flights/DLH9/track", "flight_id"),
        (f"/v1/flights/{FLIGHT}/altitude-band?low_ft=1", "high_ft"),
        (f"/v1/flights/{FLIGHT}/altitude-band?high_ft=1", "low_ft"),
        (f"/v1/flights/{FLIGHT}/altitude-band?low_ft=x&high_ft=1", "low_ft"),
        (f"/v1/flights/{FLIGHT}/altitude-band?low_ft=2&high_ft=1", "high_ft"),
    ],
)
def test_a_bad_value_is_a_problem_that_names_the_field(url: str, field: str) -> None:
    history = FakeHistory()
    answer = _ask(url, history)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert history.asked == []
