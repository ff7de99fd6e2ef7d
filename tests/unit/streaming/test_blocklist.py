"""The privacy block list: what must not be shown does not pass."""

from dataclasses import replace
from pathlib import Path

import pytest

from flight_platform.errors import SettingsError
from flight_platform.model import Position, address_of
from streaming.blocklist import BlockList

NOW_MS = 1_700_000_000_000  # 2023-11-14
SEEN = Position(
    icao24="3c6444", time=NOW_MS, received_at=NOW_MS, latitude=1.0, longitude=2.0, callsign="DLH1", squawk="1000"
)
HEAD = "icao24,callsign,action,until,reason\n"  # the others may be left out


def block_list(tmp_path: Path, rows: str) -> BlockList:
    path = tmp_path / "block.csv"
    path.write_text(HEAD + rows)
    return BlockList.read(path)


@pytest.mark.parametrize(
    "row", ["3C6444,,drop,,owner", ",dlh1,drop,,operator", "3c6444,,drop,2023-11-14,until tonight"]
)
def test_dropped(tmp_path: Path, row: str) -> None:
    assert list(block_list(tmp_path, row).apply([SEEN], NOW_MS)) == []


@pytest.mark.parametrize("row", ["3c6445,,drop,,another", "3c6444,,drop,2023-11-13,over"])
def test_not_concerned(tmp_path: Path, row: str) -> None:
    assert list(block_list(tmp_path, row).apply([SEEN], NOW_MS)) == [SEEN]


def test_anonymised_under_one_pseudonym_a_day(tmp_path: Path) -> None:
    rules = block_list(tmp_path, "3c6444,,anonymise,,owner")
    first, again, tomorrow = (
        next(rules.apply([replace(SEEN, time=SEEN.time + i)], NOW_MS + days * 86_400_000))
        for i, days in enumerate((0, 0, 1))
    )
    assert first.icao24 == again.icao24 != tomorrow.icao24
    assert address_of(first.icao24) != address_of(SEEN.icao24)
    assert first.icao24.startswith("~")
    assert (first.callsign, first.squawk, first.latitude) == (None, None, SEEN.latitude)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("3c6444,,hide,,x", "action"),
        (",,drop,,x", "exactly one"),
        ("3c6444,dlh1,drop,,x", "exactly one"),
        ("3c64,,drop,,x", "address"),
        ("3c6444,,drop,soon,x", "soon"),
    ],
)
def test_bad_line_stops_the_start(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"line 2.*{says}.*Example"):
        block_list(tmp_path, row)


def test_days_and_registrations(tmp_path: Path) -> None:
    path = tmp_path / "block.csv"
    head = "icao24,registration,callsign,action,from,until,reason\n"
    path.write_text(head + "3c6444,,,drop,2023-11-14,2023-11-14,a visit\n")
    list_ = BlockList.read(path)
    assert [len(list(list_.apply([SEEN], NOW_MS + days * 86_400_000))) for days in (-1, 0, 1)] == [1, 0, 1]
    path.write_text(head + ",D-AIMA,,drop,,,owner\n")
    with pytest.raises(SettingsError, match=r"line 2.*flight block-list import"):
        BlockList.read(path)


def test_the_stricter_rule_counts(tmp_path: Path) -> None:
    assert list(block_list(tmp_path, "3c6444,,anonymise,,a\n,DLH1,drop,,b\n").apply([SEEN], NOW_MS)) == []


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FLIGHT_BLOCK_LIST"):
        BlockList.read(tmp_path / "none.csv")
