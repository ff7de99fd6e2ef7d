"""What the history API asks, against figures computed here: the same of raw positions and of chunks."""

import asyncio
import json
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest

from flight_platform.codec import to_record
from flight_platform.history import queries
from flight_platform.history.compaction import compact_hour
from flight_platform.history.partitions import list_hours
from flight_platform.history.verdicts import record_verdict
from flight_platform.history.writer import Written
from flight_platform.model import Position, format_flight_id
from flight_platform.testing import DatabaseUrls
from serving.replay import Replay
from serving.rows import dumps
from tests.integration.history import filling
from tests.integration.history.filling import fill
from tests.integration.history.reports import report

pytestmark = pytest.mark.integration

BORN_S = 1_790_000_000
BORN = datetime.fromtimestamp(BORN_S, UTC)
HOUR = timedelta(hours=1)
T = TypeVar("T")


@pytest.fixture(autouse=True, params=["raw", "chunks"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test asks twice: of what has just been written, and of the same once it is compacted."""

    def fill_and_compact(connection: psycopg.Connection, positions: Sequence[Position]) -> Written:
        written = filling.fill(connection, positions)
        for hour in list_hours(connection):
            record_verdict(connection, hour, passed=True, rows=1, failures=[])
            compact_hour(connection, hour, hour + timedelta(days=1))
        assert connection.execute("SELECT count(*) FROM history.positions").fetchone() == (0,)
        return written

    if request.param == "chunks":
        monkeypatch.setitem(globals(), "fill", fill_and_compact)


def ask(database: DatabaseUrls, question: Callable[[Any], Awaitable[T]]) -> T:
    async def asked() -> T:
        async with await psycopg.AsyncConnection.connect(database["postgres_url"]) as connection:
            return await question(connection)

    return asyncio.run(asked())


def flights(database: DatabaseUrls, **question: Any) -> list[str]:
    defaults = {"from_time": BORN - HOUR, "to_time": BORN + 3 * HOUR, "limit": 100}
    absent = {"icao24": None, "callsign": None, "bbox": None, "after": None}
    rows = ask(database, lambda c: queries.flights(c, **{**defaults, **absent, **question}))
    return [row["flight_id"] for row in rows]


def climb(icao24: str = "4ca001", **fields: object) -> list[Position]:
    """0, 1,000, ... 9,000 ft at 0, 10, ... 90 s, 100 to 190 kt, due north by a hundredth of a degree each."""
    return [
        report(
            icao24,
            BORN_S,
            (BORN_S + 10 * n) * 1000,
            **{
                "altitude_ft": 1000 * n,
                "ground_speed_kt": 100.0 + 10 * n,
                "latitude": 50 + n / 100,
                "longitude": 8.0,
                **fields,
            },
        )
        for n in range(10)
    ]


def key(position: Position) -> int:
    assert position.flight_id is not None
    return position.flight_id


def test_a_flight_has_its_figures(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    positions = climb()
    fill(connection, [*positions, *climb("4ca002")])
    found = ask(database, lambda c: queries.flight(c, key(positions[0])))
    assert found is not None
    assert found["flight_id"] == format_flight_id(key(positions[0]))
    assert (found["icao24"], found["callsign"], found["positions"]) == ("4ca001", "TEST123", 10)
    assert (found["first_time"], found["last_time"]) == (BORN, BORN + timedelta(seconds=90))
    assert (found["first_latitude"], found["last_latitude"]) == (50.0, 50.09)
    assert found["maximum_altitude_ft"] == 9_000
    assert found["average_ground_speed_kt"] == 145.0
    assert found["duration_s"] == 90
    assert found["distance_nm"] == pytest.approx(math.radians(0.09) * 6_371_008.8 / 1852, abs=0.006)


def test_the_average_speed_is_weighted_by_time(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    at = ((0, 100.0), (10, 100.0), (20, 200.0), (120, 200.0), (1_000, 400.0))  # the last after a gap of 880 s
    fill(connection, [report("4ca001", BORN_S, (BORN_S + s) * 1000, ground_speed_kt=kt) for s, kt in at])
    found = ask(database, lambda c: queries.flight(c, key(climb()[0])))
    assert found is not None
    assert found["average_ground_speed_kt"] == pytest.approx((100 * 10 + 150 * 10 + 200 * 100) / 120, abs=0.05)


def test_what_is_not_there_is_none(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    fill(connection, climb())
    assert ask(database, lambda c: queries.flight(c, key(climb("4ca009")[0]))) is None
    assert ask(database, lambda c: queries.altitude_band(c, key(climb("4ca009")[0]), 0, 1)) is None
    unknown = {"altitude_ft": None, "ground_speed_kt": None, "callsign": None}
    fill(connection, climb("4ca003", **unknown))
    found = ask(database, lambda c: queries.flight(c, key(climb("4ca003")[0])))
    assert found is not None
    assert (found["average_ground_speed_kt"], found["maximum_altitude_ft"], found["callsign"]) == (None, None, None)
    band = ask(database, lambda c: queries.altitude_band(c, key(climb("4ca003")[0]), 0, 1_000))
    assert band is not None
    assert (band["seconds"], band["share"], band["unknown_seconds"], band["entries"]) == (0, None, 90, 0)


def test_a_track_has_the_documented_names_and_values(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    positions = climb(on_ground=None, squawk=None)
    fill(connection, list(reversed(positions)))

    async def whole(connection: Any) -> list[dict[str, Any]]:
        return [dict(row) async for rows in queries.track(connection, key(positions[0])) for row in rows]

    times = ("time", "received_at")
    expected = [to_record(position) for position in positions]
    for record in expected:
        record.update({name: datetime.fromisoformat(record[name]) for name in times})
    assert ask(database, whole) == expected


@pytest.mark.parametrize("bbox", [None, (179.0, 40.0, -179.0, 50.0)], ids=["everywhere", "a box"])
def test_a_replay_has_at_each_step_the_sky_of_that_instant(
    database: DatabaseUrls,
    connection: psycopg.Connection,
    bbox: queries.Box | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "PORTION", 7)
    monkeypatch.setattr(queries, "_REPLAYED_AT_ONCE", timedelta(seconds=25))  # three steps and a rest
    chance = random.Random(5)  # the same each time
    crossing = [
        report(
            f"4ca{n:03x}",
            BORN_S,
            (BORN_S + 2_700) * 1000 + chance.randrange(200_000),  # across the end of an hour
            longitude=chance.choice([178.5, 179.5, -179.5, -178.5]),
            latitude=chance.choice([45.0, 51.0]),
        )
        for n in range(6)
        for _ in range(chance.choice([1, 5, 40]))
    ]
    fill(connection, crossing)
    start, step = BORN + timedelta(seconds=2_730), timedelta(seconds=7)
    replay = Replay(start, start + timedelta(seconds=180), step, 5)

    async def frames(connection: Any) -> list[dict[str, Any]]:
        window: dict[str, Any] = {"from_time": start, "to_time": replay.to_time, "step": step}
        parts = [part async for rows in queries.replay(connection, bbox=bbox, **window) for part in replay.part(rows)]
        return [json.loads(line) for line in b"".join([*parts, *replay.end()]).splitlines()]

    async def instant(connection: Any, time: datetime) -> list[dict[str, Any]]:
        rows = [row async for rows in queries.instant(connection, time=time, bbox=bbox, limit=5) for row in rows]
        return list(json.loads(dumps(rows)))

    told = ask(database, frames)
    assert len(told) == replay.frames == 26
    assert len({json.dumps(frame["positions"]) for frame in told}) > 5
    for number, frame in enumerate(told):
        time = start + number * step
        assert datetime.fromisoformat(frame["time"]) == time
        assert frame["positions"] == ask(database, partial(instant, time=time))


def test_time_in_a_band_is_interpolated(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    fill(connection, climb())
    for low_ft, high_ft, seconds, entries in (
        (2_500, 4_500, 20, 1),  # between reports: 25 s to 45 s
        (0, 9_000, 90, 1),
        (0, 0, 0, 1),
        (3_000, 3_000, 0, 1),
        (9_001, 20_000, 0, 0),
        (-500, 500, 5, 1),
        (8_900, 20_000, 1, 1),
        (4_100, 4_200, 1, 1),  # passed between two reports
    ):
        band = ask(database, partial(queries.altitude_band, flight_id=key(climb()[0]), low_ft=low_ft, high_ft=high_ft))
        assert band is not None
        assert (band["low_ft"], band["high_ft"], band["entries"]) == (low_ft, high_ft, entries)
        assert band["seconds"] == pytest.approx(seconds)
        assert band["share"] == pytest.approx(seconds / 90)
        assert (band["known_seconds"], band["unknown_seconds"]) == (90, 0)


def test_a_long_silence_is_unknown_and_ends_a_stay(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    at = ((0, 5_000), (100, 5_000), (500, 5_000), (600, 5_000), (700, 1_000), (800, 5_000))
    fill(connection, [report("4ca001", BORN_S, (BORN_S + s) * 1000, altitude_ft=ft) for s, ft in at])
    band = ask(database, lambda c: queries.altitude_band(c, key(climb()[0]), 4_000, 6_000))
    assert band is not None
    assert (band["known_seconds"], band["unknown_seconds"]) == (400, 400)
    assert band["seconds"] == pytest.approx(250)
    assert band["entries"] == 3


def test_flights_are_paged_newest_first_without_loss(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    born = [report(f"4ca{n:03x}", BORN_S + n // 3, (BORN_S + n) * 1000) for n in range(20)]
    fill(connection, born)
    whole = flights(database)
    newest_first = sorted((key(p) for p in born), key=lambda f: (f & 0xFFFFFFFF, f), reverse=True)
    assert whole == [format_flight_id(number) for number in newest_first]
    paged: list[str] = []
    while page := flights(database, limit=6, after=paged[-1] if paged else None):
        paged += page
    assert paged == whole
    assert flights(database, limit=2, after=newest_first[3]) == whole[4:6]


def test_flights_are_chosen_by_window_address_and_callsign(
    database: DatabaseUrls, connection: psycopg.Connection
) -> None:
    later = [report("~4ca001", BORN_S + 7200, (BORN_S + 7200) * 1000, callsign="SWR38")]
    fill(connection, [*climb(), *later])
    first, second = format_flight_id(key(climb()[0])), format_flight_id(key(later[0]))
    assert flights(database) == [second, first]
    assert flights(database, icao24="4ca001") == [first]
    assert flights(database, icao24="~4ca001") == [second]
    assert flights(database, callsign="SWR38") == [second]
    assert flights(database, callsign="SWR") == []
    assert flights(database, from_time=BORN + timedelta(seconds=90), to_time=BORN + HOUR) == [first]
    assert flights(database, from_time=BORN + timedelta(seconds=91), to_time=BORN + 2 * HOUR) == []


def test_a_box_may_cross_the_antimeridian(database: DatabaseUrls, connection: psycopg.Connection) -> None:
    fill(connection, [*climb("4ca001", longitude=179.5), *climb("4ca002", longitude=-179.5), *climb("4ca003")])
    east, west, middle = (format_flight_id(key(climb(a)[0])) for a in ("4ca001", "4ca002", "4ca003"))
    assert flights(database, bbox=(179.0, 49.0, -179.0, 51.0)) == [west, east]
    assert flights(database, bbox=(-180.0, 49.0, 180.0, 51.0)) == [middle, west, east]
    assert flights(database, bbox=(0.0, 49.0, 10.0, 51.0)) == [middle]
    assert flights(database, bbox=(0.0, 51.0, 10.0, 52.0)) == []
