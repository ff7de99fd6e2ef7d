"""The naive readers: FastAPI over redis-py and psycopg, as one writes them in an afternoon.

Each request is one question to a store and one object a flight; nothing is shared between those who ask the same. Files
of a folder are served, too, where no file server is installed.

    python -m bench.naive_api --port 8000 --live redis://127.0.0.1:19851 --postgres postgresql://... --files /tmp/files
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import redis.asyncio
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.staticfiles import StaticFiles
from psycopg.rows import dict_row

from flight_platform.names import COLLECTION_FLIGHTS

_ALL = ("LIMIT", 100_000, "POINTS")
_TRACK = "SELECT * FROM analytics.track(%s) ORDER BY time"
_METRES = 1852.0


def flight(item: list[Any]) -> dict[str, Any]:
    """An object of the store: its id, its place and its fields."""
    name, (latitude, longitude), fields = item[0], item[1], item[2]
    told = {fields[at].decode(): _plain(fields[at + 1]) for at in range(0, len(fields), 2)}
    return {"flight_id": name.decode(), "latitude": float(latitude), "longitude": float(longitude), **told}


def _plain(value: bytes) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value.decode()


def make_app(live_url: str, postgres_url: str, files: str) -> FastAPI:
    """The readers over a live server and a database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.live = redis.asyncio.Redis.from_url(live_url, protocol=2, driver_info=None)
        app.state.history = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True, row_factory=dict_row)
        yield
        await app.state.live.aclose()
        await app.state.history.close()

    app = FastAPI(lifespan=lifespan)
    app.mount("/files", StaticFiles(directory=files))

    async def ask(*words: Any) -> list[dict[str, Any]]:
        _cursor, items = await app.state.live.execute_command(*words)
        return [flight(item) for item in items]

    @app.get("/v1/live")
    async def box(bbox: str | None = None) -> dict[str, Any]:
        if bbox is None:
            return {"flights": await ask("SCAN", COLLECTION_FLIGHTS, *_ALL)}
        west, south, east, north = map(float, bbox.split(","))
        return {"flights": await ask("WITHIN", COLLECTION_FLIGHTS, *_ALL, "BOUNDS", south, west, north, east)}

    @app.get("/v1/live/nearby")
    async def nearby(lat: float, lon: float, radius_nm: float) -> dict[str, Any]:
        return {"flights": await ask("NEARBY", COLLECTION_FLIGHTS, *_ALL, "POINT", lat, lon, radius_nm * _METRES)}

    @app.get("/v1/live/{flight_id}")
    async def one(flight_id: str) -> dict[str, Any]:
        found = await app.state.live.execute_command("GET", COLLECTION_FLIGHTS, flight_id, "WITHFIELDS", "POINT")
        if found is None:
            raise HTTPException(404)
        return flight([flight_id.encode(), *found])

    @app.get("/data/aircraft.json")
    async def aircraft() -> dict[str, Any]:
        return {"aircraft": await ask("SCAN", COLLECTION_FLIGHTS, *_ALL)}

    @app.get("/api/states/all")
    async def states(lamin: float, lomin: float, lamax: float, lomax: float) -> dict[str, Any]:
        found = await ask("WITHIN", COLLECTION_FLIGHTS, *_ALL, "BOUNDS", lamin, lomin, lamax, lomax)
        return {"states": [list(state.values()) for state in found]}

    @app.get("/v1/flights/{flight_id}/track")
    async def track(flight_id: str) -> dict[str, Any]:
        cursor = await app.state.history.execute(_TRACK, [flight_id])
        return {"positions": await cursor.fetchall()}

    return app


def main() -> None:
    """Serves them on the loopback."""
    parser = argparse.ArgumentParser(prog="python -m bench.naive_api")
    parser.add_argument("--port", type=int, required=True)
    for name in ("--live", "--postgres", "--files"):
        parser.add_argument(name, required=True)
    words = parser.parse_args()
    app = make_app(words.live, words.postgres, words.files)
    uvicorn.run(app, port=words.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
