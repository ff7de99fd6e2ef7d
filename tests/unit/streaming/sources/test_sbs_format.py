"""SBS lines: merging, times without a zone, broken lines."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.model import Emergency, Position
from streaming.sources.base import Refused
from streaming.sources.sbs_format import IDENTITY_MS, MOTION_MS, Merger, zone_hint

NOW_MS = 1_641_600_000_000  # 2022-01-08 00:00:00 UTC


def line(kind: int, time: str, date: str = "2022/01/08", hex_: str = "86E3EC", **cells: str) -> str:
    """A line of a type with some of the cells 10 to 21 filled, by `c<index>`."""
    row = ["MSG", str(kind), "111", "11111", hex_, "111111", date, time, date, time, *[""] * 12]
    for name, value in cells.items():
        row[int(name[1:])] = value
    return ",".join(row) + "\r\n"


def place(time: str, date: str = "2022/01/08", **cells: str) -> str:
    """A position line."""
    return line(3, time, date, **({"c11": "28000", "c14": "34.43697", "c15": "136.04449", "c21": "0"} | cells))


def positions(lines: list[str], zone: str = "UTC") -> list[Position]:
    """The reports of some lines, none of which may be refused."""
    merger = Merger("s", ZoneInfo(zone))
    taken = [merger.take(text, NOW_MS) for text in lines]
    assert not any(isinstance(one, Refused) for one in taken)
    return [one for one in taken if isinstance(one, Position)]


def at(text: str) -> int:
    """Unix milliseconds of ISO text in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_position_line_takes_the_newest_of_the_other_lines() -> None:
    (position,) = positions(
        [
            line(1, "10:00:00.000", c10="JAL123  "),
            line(4, "10:00:01.000", c12="387", c13="248.04", c16="-64"),
            line(6, "10:00:01.500", c17="3205", c19="0", c21="0"),
            line(4, "10:00:01.900", c12="388.2", c13="249", c16="0"),
            line(4, "10:00:01.950", hex_="ABCDEF", c12="1", c13="1", c16="1"),
            place("10:00:02.250"),
        ]
    )
    assert position == Position(
        icao24="86e3ec",
        time=at("2022-01-08T10:00:02.250"),
        received_at=NOW_MS,
        latitude=34.43697,
        longitude=136.04449,
        altitude_ft=28_000,
        on_ground=False,
        ground_speed_kt=388.2,
        track_deg=249.0,
        vertical_rate_fpm=0,
        callsign="JAL123",
        squawk="3205",
        emergency=Emergency.NONE,
        source="s",
    )


def test_what_is_too_old_is_unknown() -> None:
    lines = [
        line(1, "10:00:00.000", c10="JAL123"),
        line(4, "10:00:00.000", c12="387", c13="248", c16="0"),
        place(f"10:00:{MOTION_MS // 1000:02d}.000"),
        place(f"10:00:{MOTION_MS // 1000:02d}.001"),
        place(f"10:{IDENTITY_MS // 60_000:02d}:00.000"),
        place(f"10:{IDENTITY_MS // 60_000:02d}:00.001"),
    ]
    found = positions(lines)
    assert [p.ground_speed_kt for p in found] == [387.0, None, None, None]
    assert [p.callsign for p in found] == ["JAL123", "JAL123", "JAL123", None]


def test_lines_of_other_types_and_heartbeats_are_left_out() -> None:
    others = [
        "\r\n",
        "",
        "STA,,5,179,400AE7,10103,2008/11/28,14:58:51.153,2008/11/28,14:58:51.153,RM\r\n",
        "CLK,,496\r\n",
    ]
    others += [
        "SEL,,496\r\n",
        "ID,,496\r\n",
        "AIR,,496\r\n",
        line(8, "10:00:00.000"),
        line(3, "10:00:00.000", c11="100"),
    ]
    assert positions(others) == []


def test_a_surface_line_is_on_the_ground() -> None:
    surface = line(2, "10:00:00.000", c12="12.5", c13="90", c14="35.5", c15="139.7", c21="-1")
    (position,) = positions([surface])
    assert (position.on_ground, position.altitude_ft, position.ground_speed_kt) == (True, None, 12.5)


@pytest.mark.parametrize(
    ("squawk", "emergency"),
    [("7500", Emergency.UNLAWFUL), ("7600", Emergency.NO_RADIO), ("7700", Emergency.GENERAL), ("", Emergency.GENERAL)],
)
def test_a_declared_emergency(squawk: str, emergency: Emergency) -> None:
    (position,) = positions([line(6, "10:00:00.000", c17=squawk, c19="-1"), place("10:00:01.000")])
    assert position.emergency is emergency


def test_times_are_of_the_zone_that_is_set() -> None:
    lines = [place("23:59:59.500"), place("00:00:00.250", date="2022/01/09")]
    assert [p.time for p in positions(lines, "Asia/Tokyo")] == [
        at("2022-01-08T14:59:59.500"),
        at("2022-01-08T15:00:00.250"),
    ]


def test_a_date_that_changes_late_or_early_around_midnight_is_put_right() -> None:
    lines = [
        place("23:59:59.900"),
        place("00:00:00.100"),  # still the date of yesterday
        place("00:00:00.200", date="2022/01/09"),
        place("23:59:59.950", date="2022/01/09"),  # a late line with the new date
    ]
    assert [p.time for p in positions(lines)] == [
        at("2022-01-08T23:59:59.900"),
        at("2022-01-09T00:00:00.100"),
        at("2022-01-09T00:00:00.200"),
        at("2022-01-08T23:59:59.950"),
    ]


def test_lines_without_a_date_cross_midnight() -> None:
    lines = [place("23:59:59.900"), place("00:00:00.100", date=""), place("00:00:01.000", date="")]
    assert [p.time for p in positions(lines)][1:] == [at("2022-01-09T00:00:00.100"), at("2022-01-09T00:00:01.000")]


def test_the_hour_that_comes_twice_does_not_go_back() -> None:
    lines = [
        place("02:59:59.000", date="2021/10/31"),
        place("02:00:00.000", date="2021/10/31"),
        place("03:00:00.000", date="2021/10/31"),
    ]
    first, again, after = (
        p.time for p in positions(["", place("01:30:00.000", date="2021/10/31"), *lines], "Europe/Paris")[1:]
    )
    assert first == at("2021-10-31T00:59:59.000")
    assert again == at("2021-10-31T01:00:00.000")
    assert after == at("2021-10-31T02:00:00.000")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (place("10:00:00.000", c14="abc"), "latitude"),
        (place("10:00:00.000", c11="1x"), "altitude"),
        (place("10:00:00.000", c11="nan"), "altitude"),
        (place("25:00:00.000"), "no time"),
        (place("10:00:61.000"), "no time"),
        (place("10:00:00.000", date="2022-01-08"), "no time"),
        (place(""), "no time"),
        (place("10:00:00.000", date="9999/12/31").replace("9999", "0001"), "time"),
        (place("10:00:00.000")[:60], "22 fields"),
        ("hello", "22 fields"),
        (place("10:00:00.000").replace("86E3EC", ""), "hex"),
    ],
)
def test_a_broken_line_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    refused = Merger("s").take(text, NOW_MS)
    assert isinstance(refused, Refused)
    assert said in refused.detail
    assert refused.original == text.strip().encode()


@given(st.text() | st.lists(st.text(max_size=12), min_size=20, max_size=23).map(",".join))
def test_no_text_breaks_the_merger(text: str) -> None:
    Merger("s").take(text, NOW_MS)
    Merger("s").take("MSG,3," + text, NOW_MS)


@given(st.integers(4, 21), st.text(max_size=12))
def test_no_cell_breaks_the_merger(index: int, cell: str) -> None:
    cells = place("10:00:00.000").strip().split(",")
    cells[index] = cell
    merger = Merger("s")
    merger.take(",".join(cells), NOW_MS)
    assert isinstance(merger.take(place("10:00:01.000"), NOW_MS), Position)


def test_a_clock_that_is_hours_away_hints_at_a_time_zone() -> None:
    hint = zone_hint(NOW_MS + 9 * 3_600_000 + 2_000, NOW_MS)
    assert hint is not None
    assert "+9 h" in hint
    assert zone_hint(NOW_MS + 60_000, NOW_MS) is None
    assert zone_hint(NOW_MS - 8 * 60_000, NOW_MS) is None
