"""The active API over a live store of the test's own."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI

from flight_platform.codec import decode, to_record
from flight_platform.kafka import now_ms
from flight_platform.live.client import LiveAnswer
from flight_platform.model import Emergency, Kind, Position, format_flight_id, make_flight_id
from flight_platform.settings import Settings
from protos.flight.v1 import api_pb2
from serving.active import make_active
from tests.unit.serving.asking import ask

NOW_MS = 1_769_860_800_250
FLIGHT = format_flight_id(make_flight_id(0x3C6444, 1_769_860_000))
SHARDS = "redis://127.0.0.1:1,redis://127.0.0.1:2"


def _position(address: int, **fields: Any) -> Position:
    values = {"time": NOW_MS, "latitude": 47.0, "longitude": 8.0, "source": "paris", **fields}
    return Position(
        icao24=f"{address:06x}",
        received_at=NOW_MS + 40,
        flight_id=make_flight_id(address, 1_769_860_000),
        **values,
    )


class FakeReader:
    """A live store that holds these positions and remembers what it was asked; the snapshot asks each second."""

    def __init__(self, *positions: Position, missing: tuple[str, ...] = (), watermark_ms: int | None = NOW_MS) -> None:
        self.positions, self.missing, self.watermark_ms = list(positions), missing, watermark_ms
        self.asked: list[tuple[Any, ...]] = []

    def _answer(self, positions: list[Position]) -> LiveAnswer:
        return LiveAnswer(positions, bool(self.missing), self.missing, self.watermark_ms)

    async def all(self) -> LiveAnswer:
        return self._answer(self.positions)

    async def within(self, bbox: tuple[float, float, float, float]) -> LiveAnswer:
        self.asked.append(("within", tuple(bbox)))
        return self._answer(self.positions)

    async def nearby(self, latitude: float, longitude: float, radius_nm: float, limit: int) -> LiveAnswer:
        self.asked.append(("nearby", latitude, longitude, radius_nm, limit))
        return self._answer(self.positions[:limit])

    async def get(self, flight_id: int) -> LiveAnswer:
        self.asked.append(("get", flight_id))
        return self._answer([p for p in self.positions if p.flight_id == flight_id])


def _app(reader: FakeReader) -> FastAPI:
    return make_active(Settings.read(tile38_urls=SHARDS), reader)


def _live(url: str, *positions: Position, missing: tuple[str, ...] = ()) -> Mapping[str, Any]:
    answer = ask(_app(FakeReader(*positions, missing=missing)), url)
    assert answer.status_code == 200, answer.text
    body: Mapping[str, Any] = answer.json()
    return body


def test_the_whole_world_with_the_documented_names() -> None:
    flights = [
        _position(1, altitude_ft=0, vertical_rate_fpm=0, track_deg=0.0, on_ground=False, callsign="SWR1"),
        _position(2, kind=Kind.ADSB, emergency=Emergency.GENERAL, squawk="7700", ground_speed_kt=431.5),
        _position(3, source='a "quoted" é source', latitude=-0.0000001, longitude=-179.9999999),
    ]
    body = _live("/v1/live", *flights)
    assert body["flights"] == [to_record(flight) for flight in flights]
    assert body["count"] == 3
    assert (body["partial"], body["missing"], body["truncated"]) == (False, [], False)
    assert body["watermark"] == "2026-01-31T12:00:00.250Z"
    assert body["age_s"] > 0


def test_an_empty_sky_is_an_answer() -> None:
    body = _live("/v1/live")
    assert (body["flights"], body["count"], body["partial"]) == ([], 0, False)


def test_a_store_without_a_watermark_says_null() -> None:
    answer = ask(_app(FakeReader(watermark_ms=None)), "/v1/live").json()
    assert (answer["watermark"], answer["age_s"]) == (None, None)


def test_a_box_across_the_antimeridian_reaches_the_store_as_it_is() -> None:
    reader = FakeReader()
    assert ask(_app(reader), "/v1/live?bbox=170,-50,-170,-30").status_code == 200
    assert reader.asked == [("within", (170.0, -50.0, -170.0, -30.0))]


def test_a_cut_answer_says_so() -> None:
    flights = [_position(number) for number in range(1, 6)]
    body = _live("/v1/live?limit=3", *flights)
    assert (body["truncated"], body["count"], len(body["flights"])) == (True, 3, 3)
    assert _live("/v1/live?limit=5", *flights)["truncated"] is False


def test_a_missing_live_server_makes_the_answer_partial() -> None:
    body = _live("/v1/live", _position(1), missing=("127.0.0.1:1",))
    assert (body["partial"], body["missing"], body["count"]) == (True, ["127.0.0.1:1"], 1)


def test_no_live_server_at_all_is_an_error_and_no_empty_sky() -> None:
    reader = FakeReader(missing=("127.0.0.1:1", "127.0.0.1:2", "all partitions"), watermark_ms=None)
    for url in ("/v1/live", "/v1/live/nearby?lat=1&lon=1&radius_nm=1", "/v1/live/000001-697dd5a0", "/readyz"):
        answer = ask(_app(reader), url)
        assert answer.status_code == 503, url
        assert answer.headers["retry-after"].isdigit()
        assert "127.0.0.1:1" in answer.json()["detail"]
    assert ask(_app(reader), "/healthz").status_code == 200


def test_live_servers_without_consumers_answer_in_part_and_are_not_ready() -> None:
    reader = FakeReader(missing=("all partitions",), watermark_ms=None)
    assert ask(_app(reader), "/v1/live").json()["missing"] == ["all partitions"]
    answer = ask(_app(reader), "/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs#data-stale")
    assert "all partitions" in answer.json()["detail"]


@pytest.mark.parametrize(("age_s", "status"), [(1, 200), (50, 200), (70, 503), (7200, 503)])
def test_ready_is_what_has_something_to_show(age_s: int, status: int) -> None:
    answer = ask(_app(FakeReader(watermark_ms=now_ms() - age_s * 1000)), "/readyz")
    assert answer.status_code == status
    if status == 503:
        assert f"{age_s} s old" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("on_ground=true", {2}),
        ("on_ground=false", {1}),
        ("min_altitude_ft=30000", {1}),
        ("max_altitude_ft=0", {2}),
        ("min_altitude_ft=0&max_altitude_ft=40000", {1, 2}),
        ("callsign=swr", {1}),
        ("callsign=SWR1A", {1}),
        ("source=oslo", {3}),
        ("source=oslo&on_ground=true", set()),
        ("min_ground_speed_kt=100", {1}),
        ("max_ground_speed_kt=0", {2}),
        ("kind=MLAT", {1}),
        ("max_age_s=30", {2}),
        ("max_age_s=0", set()),
    ],
)
def test_a_filter_keeps_what_is_known_to_match(query: str, expected: set[int]) -> None:
    flights = [
        _position(1, on_ground=False, altitude_ft=35_000, callsign="SWR1A", ground_speed_kt=431.5, kind=Kind.MLAT),
        _position(2, on_ground=True, altitude_ft=0, callsign="AFR22", ground_speed_kt=0.0, time=now_ms()),
        _position(3, source="oslo"),  # tells neither altitude, speed, ground nor callsign
    ]
    body = _live(f"/v1/live?{query}", *flights)
    assert {int(flight["icao24"], 16) for flight in body["flights"]} == expected
    assert body["count"] == len(expected)


def test_truncation_counts_what_the_filter_leaves() -> None:
    flights = [_position(1, on_ground=True), _position(2, on_ground=False), _position(3, on_ground=True)]
    assert _live("/v1/live?on_ground=true&limit=2", *flights)["truncated"] is False
    assert _live("/v1/live?on_ground=true&limit=1", *flights)["truncated"] is True


def test_one_flight() -> None:
    flight = _position(0x3C6444, callsign="DLH9")
    assert flight.flight_id is not None
    answer = ask(_app(FakeReader(flight)), f"/v1/live/{format_flight_id(flight.flight_id).upper()}")
    assert (answer.status_code, answer.json()) == (200, to_record(flight))


def test_a_flight_that_is_not_live_is_a_404() -> None:
    answer = ask(_app(FakeReader()), "/v1/live/3c6444-67a1b2c3")
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#not-live")


@pytest.mark.parametrize("tile", ["0/1/0.json", "3/0/8.pb"])
def test_a_tile_beyond_the_map_is_a_404(tile: str) -> None:
    answer = ask(_app(FakeReader()), f"/v1/live/tiles/{tile}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#no-such-tile")


def test_a_flight_that_may_be_on_a_missing_server_is_no_404() -> None:
    answer = ask(_app(FakeReader(missing=("127.0.0.1:2",))), "/v1/live/3c6444-67a1b2c3")
    assert answer.status_code == 503
    assert "127.0.0.1:2" in answer.json()["detail"]


def test_nearby_gives_the_nearest_first_with_their_distance() -> None:
    far, near = _position(1, latitude=48.0, longitude=8.0), _position(2, latitude=47.1, longitude=8.0)
    body = _live("/v1/live/nearby?lat=47&lon=8&radius_nm=100", far, near)
    assert [flight["icao24"] for flight in body["flights"]] == ["000002", "000001"]
    assert body["flights"][1]["distance_nm"] == pytest.approx(60.04, abs=0.1)  # a degree of latitude
    assert {key: value for key, value in body["flights"][1].items() if key != "distance_nm"} == to_record(far)


def test_nearby_across_the_antimeridian_is_near() -> None:
    body = _live("/v1/live/nearby?lat=0&lon=179.9&radius_nm=100", _position(1, latitude=0.0, longitude=-179.9))
    assert body["flights"][0]["distance_nm"] == pytest.approx(12.0, abs=0.1)


def test_nearby_asks_for_one_more_than_it_shows() -> None:
    reader = FakeReader(*(_position(number) for number in range(1, 6)))
    body = ask(_app(reader), "/v1/live/nearby?lat=47&lon=8&radius_nm=9&limit=2").json()
    assert reader.asked == [("nearby", 47.0, 8.0, 9.0, 3)]
    assert (body["count"], body["truncated"]) == (2, True)


BAD = [
    ("/v1/live?bbox=1,2,3", "bbox"),
    ("/v1/live?bbox=", "bbox"),
    ("/v1/live?bbox=a,b,c,d", "bbox"),
    ("/v1/live?bbox=1,2,3,4,5", "bbox"),
    ("/v1/live?bbox=nan,0,1,1", "bbox"),
    ("/v1/live?bbox=0,0,inf,1", "bbox"),
    ("/v1/live?bbox=0,50,10,40", "bbox"),
    ("/v1/live?bbox=0,-91,10,40", "bbox"),
    ("/v1/live?bbox=-181,0,10,40", "bbox"),
    ("/v1/live?on_ground=perhaps", "on_ground"),
    ("/v1/live?min_altitude_ft=high", "min_altitude_ft"),
    ("/v1/live?max_altitude_ft=1e99", "max_altitude_ft"),
    ("/v1/live?min_altitude_ft=10&max_altitude_ft=5", "max_altitude_ft"),
    ("/v1/live?callsign=", "callsign"),
    ("/v1/live?callsign=*", "callsign"),
    ("/v1/live?callsign=TOOLONG123", "callsign"),
    ("/v1/live?source=No%20Such", "source"),
    ("/v1/live?kind=radar", "kind"),
    ("/v1/live?max_age_s=-1", "max_age_s"),
    ("/v1/live?min_ground_speed_kt=10&max_ground_speed_kt=5", "max_ground_speed_kt"),
    ("/v1/live?fields=height", "fields"),
    ("/v1/live?fields=", "fields"),
    ("/v1/live?format=xml", "format"),
    ("/v1/live/3c6444-67a1b2c3?fields=height", "fields"),
    ("/v1/live/tiles/3/-1/0.json", "x"),
    ("/v1/live/tiles/17/0/0.json", "z"),
    ("/v1/live/tiles/0/0/0.png", "suffix"),
    ("/v1/live/events?bbox=1,2", "bbox"),
    ("/v1/live/events?fields=height", "fields"),
    ("/v1/live?limit=0", "limit"),
    ("/v1/live?limit=10001", "limit"),
    ("/v1/live?limit=x", "limit"),
    ("/v1/live/nearby?lat=91&lon=0&radius_nm=1", "lat"),
    ("/v1/live/nearby?lat=0&lon=181&radius_nm=1", "lon"),
    ("/v1/live/nearby?lat=0&lon=0&radius_nm=0", "radius_nm"),
    ("/v1/live/nearby?lat=0&lon=0&radius_nm=nan", "radius_nm"),
    ("/v1/live/nearby?lat=0&radius_nm=1", "lon"),
    ("/v1/live/nearby?lat=nan&lon=0&radius_nm=1", "lat"),
    ("/v1/live/SWR1", "flight_id"),
    ("/v1/live/3c6444-67a1b2c", "flight_id"),
]


@pytest.mark.parametrize(("url", "field"), BAD)
def test_a_bad_value_is_a_problem_that_names_the_field_with_an_example(url: str, field: str) -> None:
    reader = FakeReader(_position(1))
    answer = ask(_app(reader), url)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (422, "/docs#invalid-parameter")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert f"{field}=" in problem["detail"]
    assert problem["errors"][0]["example"]
    assert reader.asked == []


@pytest.mark.parametrize(
    "url", ["?cursor=3c6444", *(f"/nearby?lat=0&lon=0&radius_nm=1&cursor={c}" for c in ("nan_3c6444-67a1b2c3", "3"))]
)
def test_a_cursor_of_nobody_is_refused(url: str) -> None:
    answer = ask(_app(FakeReader()), f"/v1/live{url}")
    assert answer.status_code == 422
    assert "`next` of the page before" in answer.json()["errors"][0]["message"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    problem = ask(_app(FakeReader()), "/v1/live?bbox=1&limit=0&zz=1").json()
    assert {error["field"] for error in problem["errors"]} == {"bbox", "limit", "zz"}


def test_a_misspelt_filter_is_refused_and_not_ignored() -> None:
    problem = ask(_app(FakeReader()), "/v1/live?boox=1,2,3,4").json()
    assert problem["errors"][0]["field"] == "boox"


def test_an_answer_may_be_shared_for_a_second() -> None:
    for url in ("/v1/live", "/v1/live?bbox=0,0,1,1", "/v1/live/tiles/0/0/0.json"):
        assert ask(_app(FakeReader()), url).headers["cache-control"] == "public, max-age=1"
    assert ask(_app(FakeReader()), "/v1/live?limit=0").headers["cache-control"] == "no-store"


def test_every_example_of_the_document_is_a_right_value() -> None:
    app = _app(FakeReader(_position(0x3C6444)))
    item = app.openapi()["paths"]["/v1/live"]["get"]
    for parameter in item["parameters"]:
        choices = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
        example = next(choice["examples"][0] for choice in choices if "examples" in choice)
        answer = ask(app, f"/v1/live?{parameter['name']}={example}")
        assert answer.status_code == 200, (parameter["name"], json.dumps(answer.json()))


def test_only_the_fields_that_were_asked_for_in_the_documented_order() -> None:
    flight = _position(0x3C6444, track_deg=12.5, altitude_ft=0)
    for url in ("/v1/live?fields=track_deg,latitude", "/v1/live?bbox=0,0,20,60&fields=track_deg,latitude"):
        (row,) = _live(url, flight)["flights"]
        assert list(row.items()) == [("flight_id", FLIGHT), ("latitude", 47.0), ("track_deg", 12.5)]
    one = ask(_app(FakeReader(flight)), f"/v1/live/{FLIGHT}?fields=altitude_ft").json()
    assert one == {"flight_id": FLIGHT, "altitude_ft": 0}


@pytest.mark.parametrize("url", ["/v1/live?limit=2", "/v1/live?limit=2&bbox=0,0,20,60", "/v1/live?limit=2&kind=adsb"])
def test_pages_hold_every_flight_once(url: str) -> None:
    reader = FakeReader(*(_position(number, kind=Kind.ADSB) for number in range(1, 6)))
    seen, cursor = [], ""
    while True:
        body = ask(_app(reader), f"{url}{cursor}").json()
        seen += [flight["icao24"] for flight in body["flights"]]
        assert body["truncated"] is (body["next"] is not None)
        if body["next"] is None:
            break
        cursor = f"&cursor={body['next']}"
        # Whoever goes or comes before the cursor changes nothing behind it.
        reader.positions = [p for p in reader.positions if p.icao24 != seen[-1]]
    assert seen == [f"{number:06x}" for number in range(1, 6)]


def test_pages_of_the_nearest_go_outwards() -> None:
    flights = [_position(number, latitude=47 + number // 2 / 10) for number in range(1, 8)]  # two at each distance
    reader = FakeReader(*flights)
    url = "/v1/live/nearby?lat=47&lon=8&radius_nm=99&limit=3"
    first = ask(_app(reader), url).json()
    second = ask(_app(reader), f"{url}&cursor={first['next']}").json()
    third = ask(_app(reader), f"{url}&cursor={second['next']}").json()
    found = [flight["icao24"] for body in (first, second, third) for flight in body["flights"]]
    assert (found, third["next"]) == ([flight.icao24 for flight in flights], None)


def test_geojson_has_the_flights_as_features() -> None:
    flight = _position(0x3C6444, altitude_ft=0, callsign="DLH9")
    answer = ask(_app(FakeReader(flight)), "/v1/live", headers={"Accept": "application/geo+json"})
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["count"], body["partial"]) == ("FeatureCollection", 1, False)
    (feature,) = body["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [8.0, 47.0]}
    shown = {name: value for name, value in to_record(flight).items() if name not in ("latitude", "longitude")}
    assert (feature["id"], feature["properties"]) == (shown["flight_id"], shown)
    near = ask(_app(FakeReader(flight)), "/v1/live/nearby?lat=47&lon=8&radius_nm=9&format=geojson&fields=icao24").json()
    assert near["features"][0]["properties"] == {
        "flight_id": shown["flight_id"],
        "icao24": "3c6444",
        "distance_nm": 0.0,
    }


def test_protobuf_holds_the_same_positions() -> None:
    flights = [_position(number, altitude_ft=0, kind=Kind.ADSB) for number in (1, 2)]
    reader = FakeReader(*flights, missing=("partition 3",))
    answer = ask(_app(reader), "/v1/live?format=protobuf")
    assert answer.headers["content-type"] == "application/x-protobuf"
    message = api_pb2.LiveList.FromString(answer.content)
    assert [decode(flight.SerializeToString()) for flight in message.flights] == flights
    assert (message.partial, list(message.missing), message.watermark) == (True, ["partition 3"], NOW_MS)
    near = ask(_app(reader), "/v1/live/nearby?lat=46&lon=8&radius_nm=99&limit=1&format=protobuf")
    message = api_pb2.LiveList.FromString(near.content)
    assert (message.truncated, message.next, list(message.distance_nm)) == (
        True,
        f"60.04_{format_flight_id(flights[0].flight_id or 0)}",
        [60.04],
    )
    url = f"/v1/live/{format_flight_id(flights[0].flight_id or 0)}"
    one = ask(_app(FakeReader(*flights)), url, headers={"Accept": "application/x-protobuf"})
    assert decode(one.content) == flights[0]


def test_a_client_that_has_the_answer_is_told_so_and_one_that_unpacks_gets_it_packed() -> None:
    app = _app(FakeReader(*(_position(number) for number in range(1, 40))))
    for url in ("/v1/live?format=protobuf", "/v1/live/tiles/0/0/0.pb"):
        plain = ask(app, url, headers={"Accept-Encoding": "identity"})
        packed = ask(app, url, headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert len(packed.content) == len(plain.content)
        assert int(packed.headers["content-length"]) < len(plain.content) / 2
        assert "Accept-Encoding" in plain.headers["vary"]
    again = ask(app, url, headers={"If-None-Match": f'"other", {plain.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["flight-age"] > plain.headers["flight-age"]  # a tile is the same while its flights are
    assert ask(app, url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_every_answer_tells_its_age() -> None:
    reader = FakeReader(_position(1))
    flight_id = format_flight_id(reader.positions[0].flight_id or 0)
    urls = ("/v1/live", "/v1/live?bbox=0,0,20,60", "/v1/live/nearby?lat=47&lon=8&radius_nm=9", f"/v1/live/{flight_id}")
    for url in (*urls, "/v1/live/tiles/2/2/1.json"):
        answer = ask(_app(reader), url, headers={"Origin": "https://map.example"})
        assert answer.headers["flight-watermark"] == "2026-01-31T12:00:00.250Z"
        assert float(answer.headers["flight-age"]) > 0
        assert "Flight-Age" in answer.headers["access-control-expose-headers"]
