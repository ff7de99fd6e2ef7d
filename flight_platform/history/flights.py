"""Derives flights: those that an hour touches, each from all of its positions, into `history.flights`.

    hour ──► its flights ──► all their positions ──► flights/summary.py ──► one row each, the old one replaced

Made anew and not added to: so an hour may be derived twice, late, out of order or after late rows, and the rows are the
same as if all had come at once. Each hour is written in one transaction: a run that is killed leaves it as it was. What
the reports say is the matter of `flight_platform/flights/`; when an hour is due, of `assets/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.types.json import Jsonb

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.flights.airports import Airport, Airports, Runway
from flight_platform.flights.summary import SILENCE_S, Summary, summarise
from flight_platform.flights.track import Track, stretches
from flight_platform.history.copied import copied, starts_of, taken_apart
from flight_platform.history.partitions import CLOSING, HOUR, start_of_hour
from flight_platform.history.queries import BIRTH_TOLERANCE, LONGEST_FLIGHT
from flight_platform.history.reading import read_hour
from flight_platform.history.sql import query

_FLIGHTS_AT_ONCE: Final = 4_000
_READ_AT_ONCE: Final = 250_000

# What is read of a flight outside of the hour, in the order of flights_positions.sql.
_LAYOUT: Final = {
    "flight_id": ">i8",
    "time": "timestamp",
    "latitude_e7": ">i4",
    "longitude_e7": ">i4",
    "altitude_ft": ">i4",
    "geometric_altitude_ft": ">i4",
    "vertical_rate_fpm": ">i4",
    "ground_speed_dkt": ">i2",
    "track_ddeg": ">i2",
    "on_ground": "?",
    "callsign": "text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What deriving has brought: how many flights, from how many positions, and what is known of them."""

    flights: int = 0
    positions: int = 0
    ended: int = 0
    departures: int = 0
    arrivals: int = 0

    def __add__(self, other: "Derived") -> "Derived":
        return Derived(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


def read_airports(connection: psycopg.Connection) -> Airports:
    """All airports and runways that the reference tables have."""
    airports = connection.execute(query("airports_read")).fetchall()
    runways = connection.execute(query("runways_read")).fetchall()
    return Airports(
        (
            Airport(icao=icao, iata=iata, name=name, latitude=latitude, longitude=longitude, elevation_ft=elevation_ft)
            for icao, iata, name, latitude, longitude, elevation_ft in airports
        ),
        (
            Runway(
                airport=airport,
                name=name,
                length_ft=length_ft,
                latitude=latitude,
                longitude=longitude,
                heading_deg=heading_deg,
            )
            for airport, name, length_ft, latitude, longitude, heading_deg in runways
        ),
    )


def derive_hour(connection: psycopg.Connection, hour: datetime, airports: Airports, now: datetime) -> Derived:
    """Makes the rows of all flights with a position in the hour anew, and notes that its flights are there.

    An hour whose positions have left the database stays as it is, and so does a flight that began in one.
    The connection must be in autocommit.
    """
    hour = start_of_hour(hour)
    with _alone(connection):
        columns = _needed(read_hour(connection, hour))
        if not len(columns):
            return Derived()
        made = _make(connection, np.unique(columns["flight_id"]), airports, now, known={hour: columns})
        note = {
            "hour": hour,
            "derived_at": now,
            "last_time": datetime.fromtimestamp(int(columns["time"].max()) / 1000, UTC),
            "flights": len(made.rows),
            "positions": len(columns),
        }
        with connection.transaction():
            _replace(connection, made)
            connection.execute(query("flights_hour_derived"), note)
    return made.derived()


def derive_open(connection: psycopg.Connection, airports: Airports, now: datetime) -> Derived:
    """The flights of the hours that are not closed yet, and the end of those that have fallen silent."""
    first = start_of_hour(now - CLOSING)
    hours = [first + n * HOUR for n in range((start_of_hour(now) - first) // HOUR + 1)]
    derived = sum((derive_hour(connection, hour, airports, now) for hour in hours), Derived())
    return derived + derive_silent(connection, airports, now)


def derive_silent(connection: psycopg.Connection, airports: Airports, now: datetime) -> Derived:
    """Makes flights final of which nothing has come for an hour: only then is their last report their end."""
    before = now - timedelta(seconds=SILENCE_S)
    with _alone(connection):
        found = connection.execute(query("flights_silent"), {"before": before}).fetchall()
        made = _make(connection, np.array([row[0] for row in found], dtype="i8"), airports, now)
        with connection.transaction():
            _replace(connection, made)
    return made.derived()


@contextmanager
def _alone(connection: psycopg.Connection) -> Iterator[None]:
    """Nobody else derives: of two that make the same row anew, the one that has read more must write last.

    A lock of the session and not of the transaction, which would hold back compaction while we calculate. It goes with
    the connection, however that ends.
    """
    connection.execute(query("flights_alone"))
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute(query("flights_unlock"))


@dataclass(frozen=True, slots=True)
class _Made:
    """The new rows of these flights, and from how many positions they were made."""

    flights: list[int]
    rows: list[dict[str, Any]]
    positions: int

    def derived(self) -> Derived:
        return Derived(
            flights=len(self.rows),
            positions=self.positions,
            ended=sum(row["final"] for row in self.rows),
            departures=sum(row["departure_airport"] is not None for row in self.rows),
            arrivals=sum(row["arrival_airport"] is not None for row in self.rows),
        )


def _make(
    connection: psycopg.Connection,
    flights: npt.NDArray[np.int64],
    airports: Airports,
    now: datetime,
    known: Mapping[datetime, Columns] | None = None,
) -> _Made:
    """The rows of these flights; the positions of hours in `known` are not read again."""
    flights = flights[_born_s(flights) >= _gone_s(connection)]
    rows: list[dict[str, Any]] = []
    positions = 0
    for start in range(0, len(flights), _FLIGHTS_AT_ONCE):
        columns = _read_whole(connection, flights[start : start + _FLIGHTS_AT_ONCE], now, known or {})
        rows += [_row(summary, final=final) for summary, final in _summaries(columns, airports, now.timestamp())]
        positions += len(columns)
    return _Made(flights.tolist(), rows, positions)


def _replace(connection: psycopg.Connection, made: _Made) -> None:
    connection.execute(query("flights_clear"), {"flights": made.flights})
    with connection.cursor() as cursor, cursor.copy(query("flights_copy")) as copy:
        for row in made.rows:
            copy.write_row(list(row.values()))


def _summaries(columns: Columns, airports: Airports, now_s: float) -> Iterator[tuple[Summary, bool]]:
    """The record of each flight, and whether it has ended; the columns are sorted by flight and time."""
    tracks, callsigns = Track.of(columns), np.where(columns.known["callsign"], columns["callsign"], b"")
    for rows in stretches(columns["flight_id"]):
        track = tracks.part(rows)
        ended = now_s - float(track.time_s[-1]) >= SILENCE_S
        yield summarise(int(columns["flight_id"][rows.start]), track, callsigns[rows], airports, ended=ended), ended


def _gone_s(connection: psycopg.Connection) -> float:
    row = connection.execute(query("flights_gone")).fetchone()
    return row[0].timestamp() if row and row[0] is not None else 0.0


def _born_s(flights: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    born: npt.NDArray[np.int64] = flights & 0xFFFFFFFF
    return born


def _read_whole(
    connection: psycopg.Connection, flights: npt.NDArray[np.int64], now: datetime, known: Mapping[datetime, Columns]
) -> Columns:
    """All positions of these flights, sorted by flight and time."""
    first = datetime.fromtimestamp(int(_born_s(flights).min()), UTC) - BIRTH_TOLERANCE
    last = datetime.fromtimestamp(int(_born_s(flights).max()), UTC) + LONGEST_FLIGHT
    last = min(last, now + LONGEST_FLIGHT)
    parts = [columns.take(np.isin(columns["flight_id"], flights)) for columns in known.values()]
    start = first
    for hour in sorted(known):
        parts += _read(connection, flights, start, hour)
        start = hour + HOUR
    parts += _read(connection, flights, start, last)
    whole = Columns(
        {name: np.concatenate([part.values[name] for part in parts]) for name in _LAYOUT},
        {name: np.concatenate([part.known[name] for part in parts]) for name in _LAYOUT},
    )
    return whole.take(np.lexsort((whole["time"], whole["flight_id"])))


def _read(
    connection: psycopg.Connection, flights: npt.NDArray[np.int64], from_time: datetime, to_time: datetime
) -> list[Columns]:
    """What these flights have within a range of time."""
    if from_time >= to_time:
        return []
    parameters = {"flights": flights.tolist(), "from_time": from_time, "to_time": to_time}
    with connection.cursor() as cursor:
        return [_columns(rows) for rows in copied(cursor, query("flights_positions"), parameters, _READ_AT_ONCE)]


def _columns(rows: Sequence[bytes]) -> Columns:
    values, known, _ = taken_apart(_LAYOUT, b"".join(rows), starts_of(rows))
    return Columns({name: values[name].astype(COLUMN_TYPES[name]) for name in _LAYOUT}, known)


def _needed(columns: Columns) -> Columns:
    return Columns({n: columns.values[n] for n in _LAYOUT}, {n: columns.known[n] for n in _LAYOUT})


def _row(summary: Summary, *, final: bool) -> dict[str, Any]:
    """A row of history.flights, its columns in the order of flights_copy.sql."""
    departure, arrival = summary.departure, summary.arrival
    off, on = summary.take_off, summary.landing
    gap_s = [gap.to_s - gap.from_s for gap in summary.gaps]
    return {
        "flight_id": summary.flight_id,
        "first_time": _moment(summary.first_s),
        "last_time": _moment(summary.last_s),
        "positions": summary.positions,
        "callsign": _text(summary.callsign),
        "callsigns": [_text(callsign) for callsign in summary.callsigns],
        "first_latitude": summary.first_latitude,
        "first_longitude": summary.first_longitude,
        "last_latitude": summary.last_latitude,
        "last_longitude": summary.last_longitude,
        "south": summary.south,
        "west": summary.west,
        "north": summary.north,
        "east": summary.east,
        "departure_airport": departure and departure.icao,
        "departure_confidence": departure and round(departure.confidence, 3),
        "takeoff_time": off and _moment(off.time_s),
        "takeoff_confidence": off and round(off.confidence, 3),
        "arrival_airport": arrival and arrival.icao,
        "arrival_confidence": arrival and round(arrival.confidence, 3),
        "landing_time": on and _moment(on.time_s),
        "landing_confidence": on and round(on.confidence, 3),
        "distance_nm": round(summary.distance_nm, 2),
        "average_ground_speed_kt": _tenths(summary.average_ground_speed_kt),
        "max_ground_speed_kt": _tenths(summary.max_ground_speed_kt),
        "max_altitude_ft": summary.max_altitude_ft,
        **{f"{name}_s": round(seconds, 1) for name, seconds in summary.band_s.items()},
        "gap_count": len(gap_s),
        "gap_s": round(sum(gap_s), 1),
        "longest_gap_s": round(max(gap_s, default=0), 1),
        "gaps": Jsonb(
            [
                {
                    "from": _moment(gap.from_s).isoformat(),
                    "to": _moment(gap.to_s).isoformat(),
                    "distance_nm": round(gap.distance_nm, 1),
                }
                for gap in summary.gaps
            ]
        ),
        "final": final,
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def _tenths(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _text(text: str | None) -> str | None:
    return None if text is None else text.replace("\0", "?")
