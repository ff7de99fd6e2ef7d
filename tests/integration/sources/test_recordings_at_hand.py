"""The recordings at hand through `replay`, counted independently of the decoders."""

import gzip
import itertools
import json
import threading
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from flight_platform.errors import SettingsError
from flight_platform.model import Position
from streaming.sources.base import Refused
from streaming.sources.replay import Replay

pytestmark = pytest.mark.integration

SBS: Final = "sbs/dump1090-30003-japan-20220108.csv"
STREAM: Final = "readsb/adsblol-stream-20250601.jsonl.gz"


def replayed(file: Path, zone: str = "UTC") -> tuple[list[Position], list[Refused], str]:
    """All of a recording, and what it was recognised as."""
    source = Replay("r", file, zone=ZoneInfo(zone))
    batches = list(source.batches(threading.Event()))
    positions = [p for batch in batches for p in batch.positions]
    return positions, [one for batch in batches for one in batch.refused], source.format


def test_the_stream_of_a_day(shared_data: Path) -> None:
    rows = [json.loads(line) for line in gzip.decompress((shared_data / STREAM).read_bytes()).splitlines()]
    positions, refused, known_as = replayed(shared_data / STREAM)
    assert (known_as, refused) == ("lines of readsb, one aircraft each", [])
    assert [(p.icao24, p.time, p.latitude, p.longitude) for p in positions] == [
        (row["hex"], row["now"] * 1000, row["lat"], row["lon"]) for row in rows
    ]
    assert len(positions) == 44_120
    assert sum(p.icao24.startswith("~") for p in positions) == sum(row["hex"].startswith("~") for row in rows)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_snapshots(number: int, shared_data: Path) -> None:
    file = shared_data / f"readsb/aircraft_{number}.json"
    answer = json.loads(file.read_bytes())
    expected = {
        entry["hex"]: round((answer["now"] - place["seen_pos"]) * 1000)
        for entry in answer["aircraft"]
        if "lat" in (place := entry if "lat" in entry else entry.get("lastPosition", {}))
    }
    positions, refused, known_as = replayed(file)
    assert (known_as, refused) == ("an aircraft.json", [])
    assert {p.icao24: p.time for p in positions} == expected
    grounded = {entry["hex"] for entry in answer["aircraft"] if entry.get("alt_baro") == "ground"}
    assert {p.icao24 for p in positions if p.on_ground} == grounded & set(expected)


def test_the_sbs_capture(shared_data: Path) -> None:
    lines = [line.split(",") for line in (shared_data / SBS).read_text().splitlines()]
    placed = [cells for cells in lines if len(cells) == 22 and cells[14] and cells[15]]
    positions, refused, known_as = replayed(shared_data / SBS, "Asia/Tokyo")
    assert (known_as, refused) == ("an SBS capture", [])
    assert [(p.icao24, p.latitude, p.longitude) for p in positions] == [
        (cells[4].lower(), float(cells[14]), float(cells[15])) for cells in placed
    ]
    assert (len(positions), len({p.icao24 for p in positions})) == (4_884, 15)
    # Velocities, callsigns and squawks come in lines of their own: most positions have found theirs.
    assert sum(p.ground_speed_kt is not None for p in positions) > 0.9 * len(positions)
    assert sum(p.squawk is not None for p in positions) > 0.8 * len(positions)
    assert all(abs(a.time - b.time) < 12 * 3_600_000 for a, b in itertools.pairwise(positions))


def test_the_answer_of_the_globe(shared_data: Path) -> None:
    file = shared_data / "opensky/states_1634471390.json.gz"
    states = json.loads(gzip.decompress(file.read_bytes()))["states"]
    placed = [state for state in states if None not in (state[3], state[5], state[6])]
    positions, refused, known_as = replayed(file)
    assert (known_as, refused) == ("an OpenSky answer", [])
    assert [(p.icao24, p.time, p.longitude) for p in positions] == [(s[0], s[3] * 1000, s[5]) for s in placed]
    assert [p.altitude_ft for p in positions] == [None if s[7] is None else round(s[7] / 0.3048) for s in placed]
    assert [p.on_ground for p in positions] == [s[8] for s in placed]


def test_what_has_no_address_is_no_recording_of_ours(shared_data: Path) -> None:
    with pytest.raises(SettingsError, match="without icao24"):
        replayed(shared_data / "flights/sfo-202003-d01-09.tracks.parquet")
