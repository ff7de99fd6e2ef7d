"""What an hour comes to, computed by hand for a few reports."""

from datetime import UTC, datetime
from typing import Any

import h3
import numpy as np
import pytest

from flight_platform.codec import Columns, decode_columns, encode
from flight_platform.history import statistics
from flight_platform.history.sketch import percentile
from flight_platform.model import Kind, Position, address_of, make_flight_id

HOUR = datetime(2026, 3, 1, 14, tzinfo=UTC)
HOUR_MS = int(HOUR.timestamp()) * 1000


def report(icao24: str, after_ms: int, *, delay_ms: int = 500, **fields: Any) -> Position:
    values: dict[str, Any] = {
        "icao24": icao24,
        "time": HOUR_MS + after_ms,
        "received_at": HOUR_MS + after_ms + delay_ms,
        "latitude": 47.5,
        "longitude": 8.5,
        "kind": Kind.ADSB,
        "source": "roof",
        "flight_id": make_flight_id(address_of(icao24), HOUR_MS // 1000),
    }
    return Position(**values | fields)


def columns(*reports: Position) -> Columns:
    decoded, refused = decode_columns([encode(one) for one in reports])
    assert not refused
    return decoded


def test_figures_of_all_of_each_source_and_of_each_kind() -> None:
    later = make_flight_id(0x3C0001, HOUR_MS // 1000 + 2_000)
    hour = columns(
        report("3c0001", 0),
        report("3c0001", 900),
        report("3c0001", 3_599_999, flight_id=later, delay_ms=700_000),
        report("3c0002", 60_000, source=None, kind=None),
        report("3c0003", 61_000, kind=Kind.MLAT),
    )
    found = {(one.slice, one.value): one for one in statistics.figures(hour, HOUR)}
    counts = {key: (one.reports, one.aircraft, one.flights) for key, one in found.items()}
    assert counts == {
        ("all", None): (5, 3, 4),
        ("source", None): (1, 1, 1),
        ("source", "roof"): (4, 2, 3),
        ("kind", None): (1, 1, 1),
        ("kind", "adsb"): (3, 1, 2),
        ("kind", "mlat"): (1, 1, 1),
    }
    everything = found["all", None]
    assert everything.busiest_second_reports == 2
    assert everything.closed_late_reports == 1
    assert (everything.minute_reports[0], everything.minute_reports[1], everything.minute_reports[59]) == (2, 2, 1)
    assert (len(everything.minute_reports), sum(everything.minute_reports)) == (60, 5)
    assert percentile(everything.latency, 0.5) == pytest.approx(500, rel=0.02)
    assert percentile(everything.latency, 1.0) == pytest.approx(700_000, rel=0.02)


def test_an_hour_without_reports_comes_to_nothing() -> None:
    nothing = columns(report("3c0001", 0)).take(np.zeros(1, dtype=bool))
    assert list(statistics.figures(nothing, HOUR)) == []
    assert statistics.presences(nothing) == []
    assert statistics.cells(nothing) == []
    assert len(statistics.lateness_ms(nothing)) == 0


def test_lateness_is_behind_what_the_same_source_gave_before() -> None:
    hour = columns(
        report("3c0001", 10_000, delay_ms=0),  # roof, received first
        report("3c0002", 4_000, delay_ms=8_000),  # roof, received at 12 s: 6 s behind
        report("3c0003", 5_000, delay_ms=7_000),  # at once with it: behind the first alone
        report("3c0004", 20_000, delay_ms=0),
        report("3c0005", 1_000, delay_ms=30_000, source="shed"),  # the first word of another source
        report("3c0006", 19_000, delay_ms=2_000),
    )
    assert statistics.lateness_ms(hour).tolist() == [0, 6_000, 5_000, 0, 0, 1_000]


def test_lateness_does_not_hang_on_the_order_of_the_rows() -> None:
    generator = np.random.default_rng(7)
    hour = columns(
        *(
            report(f"3c{n:04x}", int(generator.integers(0, 60_000)), delay_ms=int(generator.integers(0, 9) * 1_000))
            for n in range(200)
        )
    )
    shuffled = generator.permutation(200)
    assert (statistics.lateness_ms(hour.take(shuffled)) == statistics.lateness_ms(hour)[shuffled]).all()


def test_presences_count_a_flight_once_for_each_source_and_kind() -> None:
    hour = columns(report("3c0001", 0), report("3c0001", 1), report("3c0001", 2, source="shed", kind=None))
    flight = make_flight_id(0x3C0001, HOUR_MS // 1000)
    found = {(one.kind, one.source): (one.flight_id, one.reports) for one in statistics.presences(hour)}
    assert found == {("adsb", "roof"): (flight, 2), (None, "shed"): (flight, 1)}


def test_cells_tell_where_and_how_far_down() -> None:
    here, there = (47.5, 8.5), (-33.9, 151.2)
    hour = columns(
        report("3c0001", 0, altitude_ft=9_000),
        report("3c0001", 1, altitude_ft=3_000),
        report("3c0002", 2, altitude_ft=1_400, on_ground=True),
        report("3c0002", 3),
        report("3c0003", 4, latitude=there[0], longitude=there[1]),
        report("3c0003", 5, source="shed", altitude_ft=-200),
    )
    found = {(one.cell, one.source): one for one in statistics.cells(hour)}
    cell, far = (h3.str_to_int(h3.latlng_to_cell(*place, 5)) for place in (here, there))
    assert found.keys() == {(cell, "roof"), (cell, "shed"), (far, "roof")}
    mine = found[cell, "roof"]
    assert (mine.reports, mine.flights) == (4, 2)
    assert (mine.lowest_altitude_ft, mine.highest_altitude_ft) == (3_000, 9_000)
    assert (mine.latitude, mine.longitude) == pytest.approx(h3.cell_to_latlng(h3.int_to_str(cell)), abs=1e-3)
    unknown = found[far, "roof"]
    assert (unknown.lowest_altitude_ft, unknown.highest_altitude_ft) == (None, None)
    assert found[cell, "shed"].lowest_altitude_ft == -200
