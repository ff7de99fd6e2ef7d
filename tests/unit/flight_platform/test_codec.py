"""Reports as bytes, as columns and as records: nothing gets lost, nothing unknown becomes zero."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.codec import (
    COLUMN_TYPES,
    decode,
    decode_columns,
    decode_for_tracking,
    decode_reports,
    encode,
    encode_all,
    from_record,
    parse_time,
    source_of,
    stamp_flight_id,
    to_record,
)
from flight_platform.errors import UndecodableError
from flight_platform.model import Emergency, Kind, Position
from protos.flight.v1 import position_pb2

BARE = Position(icao24="3c6444", time=1_700_000_000_123, received_at=1_700_000_000_200, latitude=0.0, longitude=0.0)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


positions = st.builds(
    Position,
    icao24=st.from_regex(r"~?[0-9a-f]{6}", fullmatch=True),
    time=st.integers(0, 4_000_000_000_000),
    received_at=st.integers(0, 4_000_000_000_000),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda n: n / 1e7),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda n: n / 1e7),
    altitude_ft=maybe(st.integers(-2000, 126_750)),
    geometric_altitude_ft=maybe(st.integers(-2500, 135_000)),
    on_ground=maybe(st.booleans()),
    ground_speed_kt=maybe(st.integers(0, 32_000).map(lambda n: n / 10)),
    track_deg=maybe(st.integers(0, 3599).map(lambda n: n / 10)),
    vertical_rate_fpm=maybe(st.integers(-32_640, 32_640)),
    callsign=maybe(st.from_regex(r"[A-Z0-9]{1,8}", fullmatch=True)),
    squawk=maybe(st.from_regex(r"[0-7]{4}", fullmatch=True)),
    emergency=maybe(st.sampled_from(Emergency)),
    kind=maybe(st.sampled_from(Kind)),
    source=maybe(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)),
    flight_id=maybe(st.integers(1, 2**57 - 1)),
)


@given(positions)
def test_bytes_round_trip(position: Position) -> None:
    assert decode(encode(position)) == position


@given(st.lists(positions, max_size=8))
@settings(deadline=None)
def test_many_at_once_are_encoded_as_each_by_itself(batch: list[Position]) -> None:
    assert encode_all(batch) == [encode(position) for position in batch]


def test_text_of_any_script_is_encoded_at_once() -> None:
    batch = [replace(BARE, source=source) for source in ("zürich", None, "北京", "paris")]
    assert encode_all(batch) == [encode(position) for position in batch]


@given(positions)
def test_record_round_trip_through_json(position: Position) -> None:
    record = json.loads(json.dumps(to_record(position)))
    assert from_record(record, received_at=0) == position


def test_record_has_the_documented_names() -> None:
    assert list(to_record(BARE)) == [field.name for field in position_pb2.Position.DESCRIPTOR.fields]
    assert set(to_record(BARE)) == set(asdict(BARE))


@given(st.lists(positions.map(lambda p: replace(p, flight_id=p.flight_id or 1)), min_size=1, max_size=8))
@settings(deadline=None)
def test_columns_hold_what_the_reports_hold(batch: list[Position]) -> None:
    columns, bad = decode_columns([encode(p) for p in batch])
    assert bad == []
    steps = {
        "latitude_e7": ("latitude", 1e7),
        "longitude_e7": ("longitude", 1e7),
        "ground_speed_dkt": ("ground_speed_kt", 10),
        "track_ddeg": ("track_deg", 10),
    }
    for name in COLUMN_TYPES:
        field, scale = steps.get(name, (name, 1))
        for row, position in enumerate(batch):
            value = getattr(position, field)
            assert columns.known[name][row] == (value is not None)
            if value is not None:
                expected = value.encode() if isinstance(value, str) else round(value * scale)
                assert columns[name][row] == expected


def test_columns_leave_out_what_is_no_tracked_report() -> None:
    tracked = stamp_flight_id(encode(BARE), 7)
    columns, bad = decode_columns([tracked, b"\xff\xff", encode(BARE), tracked])
    assert bad == [1, 2]
    assert columns["flight_id"].tolist() == [7, 7]


def test_no_process_of_the_data_plane_imports_pandas_by_the_way() -> None:
    """Some functions of Arrow do, at first use: a second of processor time and 50 MB, a process."""
    program = """
import sys
from flight_platform.codec import decode_columns, decode_reports, encode_all
from flight_platform.history.copy import copy_buffer
from flight_platform.model import Position
values = encode_all([Position(icao24="3c6444", time=1, received_at=2, latitude=0.0, longitude=0.0, flight_id=7)])
assert len(decode_columns(values)[0]) == len(decode_reports(values)[0]) == 1
copy_buffer(decode_columns(values)[0])
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_columns_of_nothing() -> None:
    columns, bad = decode_columns([])
    assert (len(columns), bad) == (0, [])


def test_text_that_a_slice_cuts_in_two_is_no_reason_to_stop() -> None:
    messages = [
        stamp_flight_id(encode(replace(BARE, callsign=text)), 7) for text in ("AFR1", "ABCÄÄÄÄ", None, "LONGER-1")
    ]
    columns, bad = decode_columns(messages)
    assert bad == []
    assert columns["callsign"].tolist() == [b"AFR1", "ABCÄÄÄ".encode()[:8], b"", b"LONGER-1"]


def test_rows_for_tracking_keep_their_places() -> None:
    rows = decode_for_tracking([b"\xff", encode(BARE), position_pb2.Position(icao24="3c6444").SerializeToString()])
    assert rows == [None, ("3c6444", BARE.time, 0.0, 0.0, None, None, None, None), None]


def test_rows_for_tracking_come_with_the_newest_time_of_each_source_and_how_many_are_of_it() -> None:
    reports = [replace(BARE, time=time, source=source) for time, source in [(7, "a"), (9, "a"), (5, "b"), (99, None)]]
    timeless = position_pb2.Position(source="c").SerializeToString()
    _, newest, counts = decode_reports([b"\xff", *map(encode, reports), timeless])
    assert newest == {"a": 9, "b": 5}
    assert [counts[source] for source in ("a", "b", "c")] == [2, 1, 1]
    assert [source_of(encode(report)) for report in reports] == ["a", "a", "b", ""]


def test_unknown_fields_of_a_newer_writer_pass_through() -> None:
    newer = encode(BARE) + bytes([0xFA, 0x7F, 3]) + b"new"  # field 2047, length-delimited
    stamped = stamp_flight_id(newer, 7)
    assert decode(stamped) == replace(BARE, flight_id=7)
    assert b"new" in position_pb2.Position.FromString(stamped).SerializeToString()


@pytest.mark.parametrize("data", [b"\xff\xff", position_pb2.Position(icao24="3c6444", time=1).SerializeToString()])
def test_no_report(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(data)


def test_unset_is_not_zero() -> None:
    zero = replace(BARE, altitude_ft=0, vertical_rate_fpm=0, track_deg=0.0, ground_speed_kt=0.0, on_ground=False)
    assert decode(encode(zero)) == zero
    assert decode(encode(BARE)).altitude_ft is None


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("2023-11-14T23:13:20.123+01:00", 1_700_000_000_123),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
        (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.123, 1_700_000_000_123),
        (1_700_000_000_123, 1_700_000_000_123),
        ("1700000000.123", 1_700_000_000_123),
    ],
)
def test_times(text: object, expected_ms: int) -> None:
    assert parse_time(text) == expected_ms


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"time": "soon"}, "time"),
        ({"latitude": "north"}, "latitude"),
        ({"icao24": None}, "icao24"),
        ({"kind": "kite"}, "kind"),
        ({"time": True}, "time"),
        ({"altitude_ft": "nan"}, "altitude_ft"),
    ],
)
def test_bad_records_name_the_field(change: dict[str, object], named: str) -> None:
    with pytest.raises(UndecodableError, match=named):
        from_record(to_record(BARE) | change, received_at=0)


def test_csv_row_with_empty_fields() -> None:
    row = {
        "icao24": "3C6444",
        "time": "1700000000",
        "latitude": "1.5",
        "longitude": "-2",
        "altitude_ft": "",
        "on_ground": "true",
    }
    position = from_record(row, received_at=5, source="file")
    assert (position.icao24, position.altitude_ft, position.on_ground, position.source) == (
        "3c6444",
        None,
        True,
        "file",
    )
