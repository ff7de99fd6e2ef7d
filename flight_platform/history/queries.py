"""What the history API asks: flights of a window, one flight, its track, its time within a band of altitudes.

All read positions through the views of schema `analytics`, so that they need not know how an hour is stored (save a
track, which `tracks.py` puts together itself); all name a range of time, so that only its hours are read. Lists come
from `history.flights` as far as flights are derived, and from positions where they are not yet. What an answer looks
like on the wire is `serving/history.py`'s.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import scalar_row

from flight_platform.history.sql import query
from flight_platform.history.table import Row, Table, columns
from flight_platform.history.tracks import read_track
from flight_platform.model import address_of, parse_flight_id

LONGEST_FLIGHT: Final = timedelta(hours=36)
INSTANT: Final = timedelta(minutes=1)  # who was not heard of for so long is not in the sky any more
BIRTH_TOLERANCE: Final = timedelta(seconds=5)  # a report that is late to its flight's birth by this much belongs to it

PORTION: Final = 1_000  # rows at a time of what may be long, about 1 MB
_REPLAYED_AT_ONCE: Final = timedelta(minutes=5)
_NEXT: Final = f"FETCH FORWARD {PORTION} FROM portions"

_NOT_TOLD: Final = frozenset({"flight_key", "is_fresh"})

Connection = AsyncConnection[Any]
Portions = AsyncGenerator[Sequence[Row]]
"""Rows a portion at a time; who does not read to the end closes it."""
Box = tuple[float, float, float, float]  # west, south, east, north; west > east: across the antimeridian


async def age_s(conn: Connection) -> float | None:
    """How old the newest position is that a history consumer tells of, by the database's clock; None where none is."""
    return await (await conn.cursor(row_factory=scalar_row).execute(query("history_age"))).fetchone()


async def flights(
    conn: Connection,
    *,
    from_time: datetime,
    to_time: datetime,
    limit: int,
    after: int | str | None,
    icao24: str | None = None,
    callsign: str | None = None,
    registration: str | None = None,
    departure_airport: str | None = None,
    arrival_airport: str | None = None,
    bbox: Box | None = None,
) -> Sequence[Row]:
    """Flights with a position in the window, `to_time` left out, the newest (first seen last) first.

    `callsign` and `registration` (with its hyphen or without) must match whole. A flight whose airports are not
    inferred yet matches none. `after` is the flight id, number or text, of the last one on the page before.
    """
    if registration is not None:
        return await _of_registration(
            conn,
            registration,
            icao24,
            from_time=from_time,
            to_time=to_time,
            limit=limit,
            after=after,
            callsign=callsign,
            departure_airport=departure_airport,
            arrival_airport=arrival_airport,
            bbox=bbox,
        )
    west, south, east, north = bbox or (None, None, None, None)
    address = None if icao24 is None else address_of(icao24)
    parameters = {
        "from_time": from_time,
        "to_time": to_time,
        "first_key": None if address is None else address << 32,
        "last_key": None if address is None else (address + 1 << 32) - 1,
        "callsign": callsign,
        "departure_airport": departure_airport,
        "arrival_airport": arrival_airport,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "after": parse_flight_id(after) if isinstance(after, str) else after,
        "limit": limit,
    }
    return await _with_figures(conn, await _rows(conn, "flights_list", parameters))


async def _with_figures(conn: Connection, listed: Table) -> list[Row]:
    """The flights of a page, with the figures of those that are not derived as far as they were seen."""
    rows = list(listed)
    fresh = [row["flight_key"] for row in rows if row["is_fresh"]]
    figures: dict[int, Row] = {}
    if fresh:
        seen_s = [flight_key & 0xFFFFFFFF for flight_key in fresh]
        window = {
            "from_time": datetime.fromtimestamp(min(seen_s), UTC) - BIRTH_TOLERANCE,
            "to_time": datetime.fromtimestamp(max(seen_s), UTC) + LONGEST_FLIGHT,
        }
        found = await _rows(conn, "flights_fresh", {"flight_keys": fresh, **window})
        figures = {row["flight_key"]: row for row in found}
    whole = [{**row, **figures.get(row["flight_key"], {})} for row in rows]
    # One that was erased between the two questions has no positions any more.
    return [{name: row[name] for name in listed.names if name not in _NOT_TOLD} for row in whole if row["positions"]]


async def _of_registration(
    conn: Connection, registration: str, icao24: str | None, *, limit: int, **question: Any
) -> Sequence[Row]:
    """By its addresses, mostly one: a month of one aircraft is soon read, since its rows lie together."""
    named = await _rows(conn, "aircraft_of_registration", {"registration": registration.upper()})
    rows: list[Row] = []
    for aircraft in named:
        if icao24 in (None, aircraft["icao24"]):
            rows += await flights(conn, icao24=aircraft["icao24"], limit=limit, **question)
    return sorted(rows, key=_first_seen, reverse=True)[:limit]


def _first_seen(row: Row) -> tuple[int, int]:
    flight_id = parse_flight_id(row["flight_id"])
    return flight_id & 0xFFFFFFFF, flight_id


async def flight(conn: Connection, flight_id: int) -> Row | None:
    """One flight with its figures, which `sql/queries/flights_one.sql` defines; None where history does not know it."""
    return next(iter(await _rows(conn, "flights_one", _where_and_when(flight_id))), None)


def track(conn: Connection, flight_id: int) -> Portions:
    """The positions of a flight in order of time."""
    window = _window(flight_id)
    return read_track(conn, flight_id, from_time=window[0], to_time=window[1], portion=PORTION)


async def altitude_band(conn: Connection, flight_id: int, low_ft: int, high_ft: int) -> Row | None:
    """How long and how often a flight was between two altitudes; None where history does not know the flight.

    `share` is that of the known seconds, None where there are none; `entries` counts the stays in the band.
    """
    parameters = {**_where_and_when(flight_id), "low_ft": low_ft, "high_ft": high_ft}
    return next(iter(await _rows(conn, "flights_altitude_band", parameters)), None)


def instant(conn: Connection, *, time: datetime, bbox: Box | None, limit: int) -> Portions:
    """The newest position of each flight within the minute up to a time (included), in the order of flight ids."""
    west, south, east, north = bbox or (None, None, None, None)
    parameters = {"time": time, "west": west, "south": south, "east": east, "north": north, "limit": limit}
    return _portions(conn, "positions_instant", {**parameters, "from_time": time - INSTANT})


async def replay(
    conn: Connection, *, from_time: datetime, to_time: datetime, step: timedelta, bbox: Box | None
) -> Portions:
    """What changes from frame to frame of a window, frame by frame: `frame` 0 is the sky at its start.

    Of each flight the newest position within the step; `inside` is false where it has left the box. The window is asked
    for some frames at a time, so that the server sorts little and the first rows of an hour come as soon as those of
    minutes.
    """
    west, south, east, north = bbox or (None, None, None, None)
    box = {"west": west, "south": south, "east": east, "north": north}
    stretch = max(_REPLAYED_AT_ONCE // step, 1) * step
    since, until = from_time - INSTANT, from_time
    seen: set[str] = set()  # in the box, as far as it was asked for
    while since < to_time:
        parameters = {"start": from_time, "step_s": step.total_seconds(), "from_time": since, "to_time": until}
        async with aclosing(_portions(conn, "positions_replay", parameters | box | {"seen": [*seen]})) as portions:
            async for rows in portions:
                if bbox is not None:
                    told = columns(rows)
                    for flight_id, inside in zip(told["flight_id"], told["inside"], strict=True):
                        (seen.add if inside else seen.discard)(flight_id)
                yield rows
        since, until = until, min(until + stretch, to_time)


async def gaps(conn: Connection, from_time: datetime, to_time: datetime) -> Sequence[Row]:
    """The gaps that touch a window, the newest first."""
    return await _rows(conn, "gaps_in_window", {"from_time": from_time, "to_time": to_time})


async def _portions(conn: Connection, name: str, parameters: dict[str, Any]) -> Portions:
    """From a cursor of the server's, within a transaction of the caller's: neither side holds more than a portion.

    In binary: numbers and moments need not become text on one side and be read on the other, a fifth of the time.
    """
    await conn.execute(f"DECLARE portions NO SCROLL CURSOR FOR {query(name)}", parameters, prepare=False)
    size = PORTION
    while size == PORTION:
        rows = await _table(await conn.execute(_NEXT, binary=True))
        size = len(rows)
        if rows:
            yield rows
    await conn.execute("CLOSE portions")


async def _rows(conn: Connection, name: str, parameters: dict[str, Any]) -> Table:
    """Never prepared: the planner must see the times to leave out the other hours."""
    return await _table(await conn.execute(query(name), parameters, prepare=False, binary=True))


async def _table(cursor: AsyncCursor[Any]) -> Table:
    rows = await cursor.fetchall()
    return Table([column.name for column in cursor.description or ()], rows)


def _where_and_when(flight_id: int) -> dict[str, Any]:
    """The flight and the stretch of time that its id implies."""
    from_time, to_time = _window(flight_id)
    return {"flight_key": flight_id, "from_time": from_time, "to_time": to_time}


def _window(flight_id: int) -> tuple[datetime, datetime]:
    first_seen = datetime.fromtimestamp(flight_id & 0xFFFFFFFF, UTC)
    return first_seen - BIRTH_TOLERANCE, first_seen + LONGEST_FLIGHT
