"""Old readers read new records, new readers old ones, and what a reader does not know passes through it unchanged."""

from typing import Any

import pytest

from flight_platform.codec import decode, decode_columns, decode_for_tracking, encode, stamp_flight_id
from flight_platform.live.fields import known_mask
from flight_platform.model import Kind, Position, address_of, make_flight_id
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Reason
from streaming.dead_letters import letter_of_report
from streaming.outlet import Record, pack, unpack
from tests import schema_versions

TIME_MS = 1_700_000_000_000
FLIGHT_ID = make_flight_id(address_of("4b1812"), TIME_MS // 1000)
FULL = Position(
    icao24="4b1812",
    time=TIME_MS,
    received_at=TIME_MS + 250,
    latitude=47.4581234,
    longitude=8.5554321,
    altitude_ft=35_000,
    geometric_altitude_ft=35_600,
    on_ground=False,
    ground_speed_kt=431.5,
    track_deg=270.0,
    vertical_rate_fpm=0,
    callsign="SWR1LX",
    squawk="1000",
    kind=Kind.ADSB,
    source="test",
    flight_id=FLIGHT_ID,
)


def newer_report(**more: Any) -> bytes:
    """The report of a newer writer, with what this version does not know."""
    message = schema_versions.newer().FromString(encode(FULL))
    message.ClearField("flight_id")
    message.selected_altitude_ft, message.remark = 36_000, "from the future"
    for name, value in more.items():
        setattr(message, name, value)
    data: bytes = message.SerializeToString()
    return data


@pytest.mark.parametrize(
    "version",
    [pytest.param(schema_versions.released, id="released"), pytest.param(schema_versions.oldest, id="oldest")],
)
def test_a_new_reader_reads_what_an_old_writer_wrote(version: Any) -> None:
    written = version()()
    names = {field.name for field in written.DESCRIPTOR.fields}
    for name in names:
        value = getattr(FULL, name)
        if value is not None:
            setattr(written, name, value)
    data = written.SerializeToString()
    read = decode(data)
    for field in Position.__dataclass_fields__:
        assert getattr(read, field) == (getattr(FULL, field) if field in names else None)
    columns, undecodable = decode_columns([data])
    assert (columns["flight_id"].tolist(), undecodable) == ([FLIGHT_ID], [])
    assert columns.known["squawk"].tolist() == ["squawk" in names]


def test_an_old_reader_reads_what_a_new_writer_writes() -> None:
    read = schema_versions.oldest().FromString(encode(FULL))
    assert (read.icao24, read.time, read.callsign, read.flight_id) == ("4b1812", TIME_MS, "SWR1LX", FLIGHT_ID)
    assert schema_versions.newer().FromString(read.SerializeToString()).squawk == "1000", "it keeps what it cannot read"


def test_this_version_reads_what_a_newer_writer_writes() -> None:
    data = stamp_flight_id(newer_report(kind=schema_versions.NEWER_KIND), FLIGHT_ID)
    read = decode(data)
    assert (read.icao24, read.squawk, read.flight_id) == ("4b1812", "1000", FLIGHT_ID)
    assert read.kind is None, "a kind that only a newer writer knows"
    columns, undecodable = decode_columns([data, encode(FULL)])
    assert (len(columns), undecodable) == (2, [])
    assert known_mask(columns, 0) != known_mask(columns, 1), "on the live servers it is unknown, too"
    assert decode_for_tracking([data])[0] == decode_for_tracking([encode(FULL)])[0]


def test_tracking_keeps_what_it_does_not_know() -> None:
    tracked = schema_versions.newer().FromString(stamp_flight_id(newer_report(), FLIGHT_ID))
    assert (tracked.selected_altitude_ft, tracked.remark) == (36_000, "from the future")
    assert tracked.flight_id == FLIGHT_ID


def test_a_feed_sends_on_from_its_disk_what_a_newer_one_held() -> None:
    held = [Record(TOPIC_REPORTS, "4b1812", newer_report()), Record(TOPIC_DEAD_LETTERS, None, b"?", [("new", b"x")])]
    assert unpack(pack(held)) == held


def test_a_dead_letter_keeps_the_bytes() -> None:
    data = newer_report()
    value, _headers = letter_of_report(
        data, reason=Reason.IMPLAUSIBLE, detail="", error=None, now_ms=TIME_MS, origin=(TOPIC_REPORTS, 0, 17)
    )
    assert value == data
