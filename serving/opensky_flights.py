"""OpenSky's `/api/flights/*` and `/api/tracks/all` over history, so that clients of OpenSky work against this platform.

Its parameters, limits, names and answers (openskynetwork.github.io/opensky-api/rest.html), and its 404 where there is
nothing. Airports are those that history infers; how far an aircraft was from them, and how many others there could be,
it does not tell. State vectors are `opensky_states.py`'s.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from flight_platform.history.table import Row
from flight_platform.model import parse_flight_id
from serving.history_store import HistoryStore, gathered
from serving.opensky_states import FOOT_M
from serving.operations import Operation
from serving.parameters import EXAMPLES, Airport, Icao24
from serving.problems import ProblemError, invalid, responses
from serving.rows import dumps

MOST: Final = 10_000  # flights in an answer: OpenSky's has no end, and two hours of the world have some 10,000
_ALL: Final = timedelta(hours=2)
_OF_AIRCRAFT: Final = timedelta(days=30)
_OF_AIRPORT: Final = timedelta(days=7)
_LATEST_S: Final = 4_291_747_199  # 2105-12-31: later is no time of ours
_JSON: Final = "application/json"

Seconds = Annotated[int, Field(ge=0, le=_LATEST_S)]


class WindowQuery(BaseModel):
    """OpenSky's window. Parameters that it does not know it ignores, and so do we here."""

    model_config = ConfigDict(frozen=True)

    begin: Seconds = Field(description="start, Unix seconds", examples=[int(EXAMPLES["begin"])])
    end: Seconds = Field(description="end, Unix seconds", examples=[int(EXAMPLES["end"])])

    def window(self, longest: timedelta) -> tuple[datetime, datetime]:
        """Start and end; a 422 where the window is none, or longer than OpenSky allows."""
        start, end = datetime.fromtimestamp(self.begin, UTC), datetime.fromtimestamp(self.end, UTC)
        if end <= start:
            raise invalid("end", "the window must end after its begin")
        if end - start > longest:
            hours = longest / timedelta(hours=1)
            raise invalid("begin", f"the window is longer than {hours:g} hours: bring begin and end closer together")
        return start, end


class AircraftQuery(WindowQuery):
    """The window of one aircraft."""

    icao24: Icao24 = Field(description="ICAO 24-bit address", examples=[EXAMPLES["icao24"]])


class AirportQuery(WindowQuery):
    """The window of one airport."""

    airport: Airport = Field(description="ICAO location indicator", examples=[EXAMPLES["airport"]])


class TrackQuery(BaseModel):
    """Which flight of an aircraft."""

    model_config = ConfigDict(frozen=True)

    icao24: Icao24 = Field(description="ICAO 24-bit address", examples=[EXAMPLES["icao24"]])
    time: Seconds = Field(
        0, description="a time within the flight, Unix seconds; 0 is now", examples=[int(EXAMPLES["begin"])]
    )


class Flight(BaseModel):
    """OpenSky's flight."""

    model_config = ConfigDict(title="OpenSkyFlight")

    icao24: str
    firstSeen: int = Field(description="Unix seconds")  # noqa: N815  # OpenSky's names
    estDepartureAirport: str | None  # noqa: N815
    lastSeen: int = Field(description="Unix seconds")  # noqa: N815
    estArrivalAirport: str | None  # noqa: N815
    callsign: str | None


class Track(BaseModel):
    """OpenSky's track."""

    model_config = ConfigDict(title="OpenSkyTrack")

    icao24: str
    startTime: int  # noqa: N815
    endTime: int  # noqa: N815
    callsign: str | None
    path: list[list[Any]] = Field(description="time, latitude, longitude, barometric altitude (m), track, on ground")


routes = APIRouter(prefix="/api", tags=["compatibility"], route_class=Operation)
_errors: Final = responses(404, 422, 503)


@routes.get("/flights/all", summary="Flights of a window", response_model=list[Flight], responses=_errors)
async def all_flights(query: Annotated[WindowQuery, Query()], store: HistoryStore) -> Response:
    """Flights seen within a window of two hours at most."""
    return await _flights(store, query.window(_ALL))


@routes.get("/flights/aircraft", summary="Flights of an aircraft", response_model=list[Flight], responses=_errors)
async def of_aircraft(query: Annotated[AircraftQuery, Query()], store: HistoryStore) -> Response:
    """Flights of one aircraft within a window of 30 days at most."""
    return await _flights(store, query.window(_OF_AIRCRAFT), icao24=query.icao24)


@routes.get("/flights/arrival", summary="Arrivals at an airport", response_model=list[Flight], responses=_errors)
async def arrivals(query: Annotated[AirportQuery, Query()], store: HistoryStore) -> Response:
    """Flights that came to an airport within a window of seven days at most."""
    return await _flights(store, query.window(_OF_AIRPORT), arrival_airport=query.airport)


@routes.get("/flights/departure", summary="Departures from an airport", response_model=list[Flight], responses=_errors)
async def departures(query: Annotated[AirportQuery, Query()], store: HistoryStore) -> Response:
    """Flights that left an airport within a window of seven days at most."""
    return await _flights(store, query.window(_OF_AIRPORT), departure_airport=query.airport)


@routes.get("/tracks/all", summary="The track of an aircraft", response_model=Track, responses=_errors)
@routes.get("/tracks", include_in_schema=False)
@routes.get("/tracks/", include_in_schema=False)  # as pyopensky asks
async def track(request: Request, query: Annotated[TrackQuery, Query()], store: HistoryStore) -> Response:
    """The flight of an aircraft at a time, with all its positions."""
    moment = datetime.fromtimestamp(query.time, UTC) if query.time else request.app.state.clock()
    around = timedelta(minutes=1)
    found = await store.flights(
        from_time=moment - around, to_time=moment + around, icao24=query.icao24, limit=1, after=None
    )
    rows = await gathered(store.track(parse_flight_id(found[0]["flight_id"]))) if found else []
    if not rows:
        raise _nothing()
    body = {
        "icao24": query.icao24,
        "startTime": _seconds(rows[0]["time"]),
        "endTime": _seconds(rows[-1]["time"]),
        "callsign": found[0]["callsign"],
        "path": waypoints(rows),
    }
    return Response(dumps(body), media_type=_JSON)


async def _flights(store: HistoryStore, window: tuple[datetime, datetime], **filters: Any) -> Response:
    start, end = window
    rows = await store.flights(from_time=start, to_time=end, limit=MOST, after=None, **filters)
    if not rows:
        raise _nothing()
    return Response(dumps([flight_of(row) for row in rows]), media_type=_JSON)


def flight_of(row: Row) -> dict[str, Any]:
    """A flight as OpenSky writes it, and in its order: its own client takes the values by their place."""
    return {
        "icao24": row["icao24"].removeprefix("~"),
        "firstSeen": _seconds(row["first_time"]),
        "estDepartureAirport": row["departure_airport"],
        "lastSeen": _seconds(row["last_time"]),
        "estArrivalAirport": row["arrival_airport"],
        "callsign": None if row["callsign"] is None else row["callsign"].ljust(8),
        "estDepartureAirportHorizDistance": None,
        "estDepartureAirportVertDistance": None,
        "estArrivalAirportHorizDistance": None,
        "estArrivalAirportVertDistance": None,
        "departureAirportCandidatesCount": 0,
        "arrivalAirportCandidatesCount": 0,
    }


def waypoints(rows: Sequence[Row]) -> list[list[Any]]:
    """The path of a track as OpenSky writes it."""
    return [
        [
            _seconds(row["time"]),
            round(row["latitude"], 4),
            round(row["longitude"], 4),
            None if row["altitude_ft"] is None else round(row["altitude_ft"] * FOOT_M),
            row["track_deg"],
            row["on_ground"] is True,
        ]
        for row in rows
    ]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _nothing() -> ProblemError:
    return ProblemError(404, "no-such-flight", "history has no flight there; /v1/flights lists those that there are")
