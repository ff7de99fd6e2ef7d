"""The promise: a flight is one aircraft between two stays on the ground. Judged on whole flights whose truth is known.

Nine days of San Francisco's flights, about one report a minute, holes of hours over the Pacific, turnarounds of 40
minutes. Each airframe's reports are judged in the order of time, as its address would bring them.
"""

import re
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streaming.tracking import Aircraft, Outcome, Report

pytestmark = pytest.mark.acceptance


def airframes(folder: Path) -> dict[str, list[Report]]:
    """The reports of each airframe with an address, by time; the payload is the id of the true flight."""
    truth = pq.read_table(folder / "sfo-202003-d01-09.truth.parquet", columns=["id", "icao24", "clean"]).to_pylist()
    address = {row["id"]: row["icao24"] for row in truth if row["clean"] and isinstance(row["icao24"], str)}
    found: dict[str, list[Report]] = defaultdict(list)
    for row in pq.read_table(folder / "sfo-202003-d01-09.tracks.parquet").to_pylist():
        if row["id"] in address:
            hundreds = re.match(r"\d+", row["alt_raw"] or "")
            report = Report(
                row["ts"] * 1000,
                row["lat"],
                row["lon"],
                int(hundreds[0]) * 100 if hundreds else None,
                row["spd_kt"],
                payload=row["id"],
            )
            found[address[row["id"]]].append(report)
    return {icao24: sorted(reports, key=lambda report: report.time) for icao24, reports in found.items()}


def test_flights_are_told_apart(shared_data: Path) -> None:
    minted: dict[int, set[int]] = defaultdict(set)  # true flight → our flight ids
    owners: dict[int, set[int]] = defaultdict(set)  # our flight id → true flights
    for icao24, reports in airframes(shared_data / "flights").items():
        aircraft = Aircraft(int(icao24, 16))
        for report in reports:
            for verdict in aircraft.judge(report):
                if verdict.outcome is Outcome.PASSED:
                    minted[verdict.report.payload].add(verdict.flight_id)
                    owners[verdict.flight_id].add(verdict.report.payload)
    exactly_one = sum(len(ids) == 1 for ids in minted.values())
    shared = sum(any(len(owners[flight_id]) > 1 for flight_id in ids) for ids in minted.values())
    assert len(minted) > 3000
    assert exactly_one / len(minted) >= 0.99
    assert shared / len(minted) <= 0.002
