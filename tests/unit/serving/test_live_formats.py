"""The bytes of live answers: JSON and GeoJSON held to `codec.to_record`, protobuf to what its reader decodes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.codec import encode, to_record
from flight_platform.model import Emergency, Kind, Position
from protos.flight.v1 import api_pb2
from serving.live_formats import Format, Head, accepted, list_body, row_maker

TENTHS = st.integers(0, 32_000).map(lambda tenths: tenths / 10)
POSITIONS = st.builds(
    Position,
    icao24=st.from_regex(r"~?[0-9a-f]{6}", fullmatch=True),
    time=st.integers(0, 4_000_000_000_000),
    received_at=st.integers(0, 4_000_000_000_000),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda steps: steps / 10_000_000),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda steps: steps / 10_000_000),
    altitude_ft=st.none() | st.integers(-2_000, 126_750),
    geometric_altitude_ft=st.none() | st.integers(-2_500, 135_000),
    on_ground=st.none() | st.booleans(),
    ground_speed_kt=st.none() | TENTHS,
    track_deg=st.none() | TENTHS,
    vertical_rate_fpm=st.none() | st.integers(-32_640, 32_640),
    callsign=st.none() | st.text(max_size=8),
    squawk=st.none() | st.from_regex(r"[0-7]{4}", fullmatch=True),
    emergency=st.none() | st.sampled_from(Emergency),
    kind=st.none() | st.sampled_from(Kind),
    source=st.none() | st.text(max_size=8),
    flight_id=st.none() | st.integers(0, (1 << 57) - 1),
)


HEAD = Head(time_ms=1_769_860_800_400, watermark_ms=1_769_860_800_250, partial=True, missing=("a:1",), next="x")
SOME = ("flight_id", "longitude", "callsign", "emergency")


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


@given(st.lists(POSITIONS, max_size=5))
def test_a_row_is_the_record(positions: list[Position]) -> None:
    records = [to_record(position) for position in positions]
    assert [json.loads(row) for row in row_maker(Format.JSON)(positions)] == records
    some = [{name: record[name] for name in SOME} for record in records]
    assert [json.loads(row) for row in row_maker(Format.JSON, SOME)(positions)] == some


@given(st.lists(POSITIONS, max_size=5), st.sampled_from([None, SOME]))
def test_a_feature_has_the_record_and_the_place(positions: list[Position], names: tuple[str, ...] | None) -> None:
    for position, row in zip(positions, row_maker(Format.GEOJSON, names)(positions), strict=True):
        feature, record = json.loads(row), to_record(position)
        shown = record if names is None else {name: record[name] for name in names}
        assert feature["properties"] == without(shown, "latitude", "longitude")
        assert feature["geometry"]["coordinates"] == [record["longitude"], record["latitude"]]
        assert feature["id"] == record["flight_id"]


@given(st.lists(POSITIONS, max_size=5))
def test_a_protobuf_list_holds_the_messages(positions: list[Position]) -> None:
    body = list_body(Format.PROTOBUF, HEAD, row_maker(Format.PROTOBUF)(positions), [1.5] * len(positions))
    message = api_pb2.LiveList.FromString(body)
    assert [flight.SerializeToString() for flight in message.flights] == [encode(position) for position in positions]
    assert (message.time, message.watermark) == (HEAD.time_ms, HEAD.watermark_ms)
    assert (message.partial, list(message.missing), message.next) == (True, ["a:1"], "x")
    assert list(message.distance_nm) == [1.5] * len(positions)
    some = api_pb2.LiveList.FromString(list_body(Format.PROTOBUF, HEAD, row_maker(Format.PROTOBUF, SOME)(positions)))
    for flight, position in zip(some.flights, positions, strict=True):
        assert {field.name for field, _ in flight.ListFields()} <= set(SOME)
        assert (flight.longitude, flight.callsign) == (position.longitude, position.callsign or "")


def test_a_list_may_keep_its_time_to_itself() -> None:
    head = Head(time_ms=None, watermark_ms=None, partial=False, missing=())
    assert json.loads(list_body(Format.JSON, head, [])).keys().isdisjoint({"time", "watermark", "age_s"})
    assert not api_pb2.LiveList.FromString(list_body(Format.PROTOBUF, head, [])).HasField("time")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, Format.JSON),
        ("*/*", Format.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.JSON),
        ("application/geo+json", Format.GEOJSON),
        ("Application/X-Protobuf; q=0.9, application/json;q=0.5", Format.PROTOBUF),
        ("application/json;q=0.5, application/protobuf", Format.PROTOBUF),
        ("application/geo+json;q=0", Format.JSON),
        ("application/geo+json;q=nonsense", Format.JSON),
        (";;,,q=", Format.JSON),
    ],
)
def test_what_a_client_likes_best(accept: str | None, expected: Format) -> None:
    assert accepted(accept) is expected
