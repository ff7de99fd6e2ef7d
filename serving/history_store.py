"""The history store as the API sees it: a pool of read-only connections, and what its failures mean for a reader.

The questions themselves are `flight_platform/history/queries.py`; this says who may ask, for how long, and what is
answered where Postgres is away. It comes back by itself: each request that finds no connection starts a new attempt.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Final, Protocol

import psycopg
from fastapi import Depends, Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from flight_platform.history import queries
from flight_platform.settings import Settings
from serving.parameters import Box
from serving.problems import unavailable

CONNECTIONS: Final = 8  # questions at once; Postgres has no use for more than a few a core
WAITING: Final = 64  # requests that may wait for a connection; the next is turned away at once
WAIT_S: Final = 3.0  # for a connection
STATEMENT_MS: Final = 15_000  # for one answer
# The pool gives up an attempt after this and starts afresh with the next request; longer, and its growing pauses would
# keep us away long after Postgres is back.
RECONNECT_S: Final = 2.0

Row = dict[str, Any]


class History(Protocol):
    """What the API asks of the history store; `PostgresHistory` is it, and tests bring their own."""

    async def ready(self) -> None:
        """Raises where the store does not answer."""
        ...

    async def flights(
        self,
        *,
        from_time: datetime,
        to_time: datetime,
        limit: int,
        after: str | None,
        icao24: str | None = None,
        callsign: str | None = None,
        registration: str | None = None,
        departure_airport: str | None = None,
        arrival_airport: str | None = None,
        bbox: Box | None = None,
    ) -> list[Row]:
        """A page of flights, the newest first; `after` is the id of the last one on the page before."""
        ...

    async def flight(self, flight_id: int) -> Row | None:
        """One flight with its figures."""
        ...

    async def track(self, flight_id: int) -> Sequence[Mapping[str, Any]]:
        """The positions of a flight in order of time; none where there is no such flight."""
        ...

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> Row | None:
        """How a flight was within a band of altitudes; None where there is no such flight."""
        ...

    async def instant(self, *, time: datetime, bbox: Box | None, limit: int) -> list[Row]:
        """The newest position of each flight within the minute up to a time, in the order of flight ids."""
        ...

    async def gaps(self, from_time: datetime, to_time: datetime) -> list[Row]:
        """The gaps that touch a window, the newest first."""
        ...


class PostgresHistory:
    """The history in Postgres. `open` it within the running event loop; it does not wait for Postgres to be there."""

    def __init__(self, settings: Settings) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            settings.postgres_url.get_secret_value(),
            min_size=1,
            max_size=CONNECTIONS,
            max_waiting=WAITING,
            timeout=WAIT_S,
            reconnect_timeout=RECONNECT_S,
            check=AsyncConnectionPool.check_connection,
            configure=_read_only,
            open=False,
            name="history",
            kwargs={"connect_timeout": 3, "application_name": f"{settings.instance} history API"},
        )

    async def open(self) -> None:
        """Starts to connect."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.close()

    async def ready(self) -> None:
        """Raises a 503 where Postgres does not answer."""
        async with self._connection() as connection:
            await connection.execute("SELECT 1")

    async def flights(self, **question: Any) -> list[Row]:
        """A page of flights, the newest first."""
        box: Box | None = question.pop("bbox", None)
        async with self._connection() as connection:
            return await queries.flights(connection, bbox=None if box is None else box.edges, **question)

    async def flight(self, flight_id: int) -> Row | None:
        """One flight with its figures."""
        async with self._connection() as connection:
            return await queries.flight(connection, flight_id)

    async def track(self, flight_id: int) -> Sequence[Mapping[str, Any]]:
        """The positions of a flight in order of time.

        All at once and not as a stream: a slow reader must not hold one of the few connections.
        """
        async with self._connection() as connection:
            return [row async for row in queries.track(connection, flight_id)]

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> Row | None:
        """How a flight was within a band of altitudes."""
        async with self._connection() as connection:
            return await queries.altitude_band(connection, flight_id, low_ft, high_ft)

    async def instant(self, *, time: datetime, bbox: Box | None, limit: int) -> list[Row]:
        """The newest position of each flight within the minute up to a time."""
        async with self._connection() as connection:
            return await queries.instant(connection, time=time, bbox=None if bbox is None else bbox.edges, limit=limit)

    async def gaps(self, from_time: datetime, to_time: datetime) -> list[Row]:
        """The gaps that touch a window."""
        async with self._connection() as connection:
            return await queries.gaps(connection, from_time, to_time)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection in a transaction of its own; failures of the store become 503s that say what they are."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except TooManyRequests as error:
            raise unavailable("too many questions wait for history already") from error
        except PoolTimeout as error:
            raise unavailable(f"Postgres gave no connection within {WAIT_S:g} s") from error
        except psycopg.errors.QueryCanceled as error:
            limit_s = STATEMENT_MS / 1000
            raise unavailable(
                f"the answer took longer than {limit_s:g} s: ask for less time or a smaller box", "too-slow"
            ) from error
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.InvalidSchemaName,
            psycopg.errors.UndefinedFunction,
        ) as error:
            raise unavailable("the tables of history are not there yet: `flight migrate` makes them") from error
        except psycopg.OperationalError as error:
            raise unavailable("Postgres does not answer") from error


async def _store(request: Request) -> History:  # async: FastAPI would take a thread for each plain one
    store: History = request.app.state.store
    return store


HistoryStore = Annotated[History, Depends(_store)]


async def _read_only(connection: AsyncConnection[TupleRow]) -> None:
    await connection.set_autocommit(True)
    await connection.execute(
        "SELECT set_config('default_transaction_read_only', 'on', false), set_config('statement_timeout', %s, false)",
        [str(STATEMENT_MS)],
    )
    await connection.set_autocommit(False)
