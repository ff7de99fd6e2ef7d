"""The history store as the API sees it: a pool of read-only connections, and what its failures mean for a reader.

The questions themselves are `flight_platform/history/queries.py`; this says who may ask, for how long, and what is
answered where Postgres is away. It comes back by itself: each request that finds no connection starts a new attempt.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Protocol

import psycopg
from fastapi import Depends, Request
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from flight_platform.history import queries
from flight_platform.history.queries import Portions
from flight_platform.history.sql import query
from flight_platform.history.table import Row
from flight_platform.settings import Settings
from serving.parameters import Box
from serving.problems import unavailable

CONNECTIONS: Final = 8  # questions at once; Postgres has no use for more than a few a core
LONG_ANSWERS: Final = 6  # that keep a connection of their own while they are sent
AHEAD: Final = 12  # portions that are read before anything is sent: a whole sky, an hour or two of a track
WAITING: Final = 64  # requests that may wait for a connection; the next is turned away at once
WAIT_S: Final = 3.0  # for a connection
STATEMENT_MS: Final = 15_000  # for one answer, or for one portion of a long one
_IDLE_MS: Final = 60_000  # after which Postgres itself ends a transaction that nobody goes on with
# The pool gives up an attempt after this and starts afresh with the next request; longer, and its growing pauses would
# keep us away long after Postgres is back.
RECONNECT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Export:
    """A file that somebody takes away."""

    operator: str
    question: str
    rows: int
    format: str
    reason: str


class History(Protocol):
    """What the API asks of the history store; `PostgresHistory` is it, and tests bring their own."""

    async def age_s(self) -> float | None:
        """How old the newest position is that a history consumer has written, None where none has.

        Raises where the store does not answer.
        """
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
    ) -> Sequence[Row]:
        """A page of flights, the newest first; `after` is the id of the last one on the page before."""
        ...

    async def flight(self, flight_id: int) -> Row | None:
        """One flight with its figures."""
        ...

    def track(self, flight_id: int) -> Portions:
        """The positions of a flight in order of time; none where there is no such flight."""
        ...

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> Row | None:
        """How a flight was within a band of altitudes; None where there is no such flight."""
        ...

    def instant(self, *, time: datetime, bbox: Box | None, limit: int) -> Portions:
        """The newest position of each flight within the minute up to a time, in the order of flight ids."""
        ...

    def replay(self, *, from_time: datetime, to_time: datetime, step: timedelta, bbox: Box | None) -> Portions:
        """What changes from frame to frame of a window, as `queries.replay` has it."""
        ...

    async def gaps(self, from_time: datetime, to_time: datetime) -> Sequence[Row]:
        """The gaps that touch a window, the newest first."""
        ...

    async def record_export(self, export: Export) -> None:
        """Writes into the audit that a file leaves the platform; raises a 503 where that cannot be."""
        ...


class PostgresHistory:
    """The history in Postgres. `open` it within the running event loop; it does not wait for Postgres to be there."""

    def __init__(self, settings: Settings) -> None:
        self._long = 0  # answers that keep a connection while they are sent
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            settings.postgres_url.get_secret_value(),
            min_size=1,
            max_size=CONNECTIONS + LONG_ANSWERS,
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

    async def age_s(self) -> float | None:
        """How old the newest position is that a history consumer has written; a 503 where Postgres does not answer."""
        async with self._connection() as connection:
            return await queries.age_s(connection)

    async def flights(self, **question: Any) -> Sequence[Row]:
        """A page of flights, the newest first."""
        box: Box | None = question.pop("bbox", None)
        async with self._connection() as connection:
            return await queries.flights(connection, bbox=None if box is None else box.edges, **question)

    async def flight(self, flight_id: int) -> Row | None:
        """One flight with its figures."""
        async with self._connection() as connection:
            return await queries.flight(connection, flight_id)

    def track(self, flight_id: int) -> Portions:
        """The positions of a flight in order of time."""
        return self._read(lambda connection: queries.track(connection, flight_id))

    async def altitude_band(self, flight_id: int, low_ft: int, high_ft: int) -> Row | None:
        """How a flight was within a band of altitudes."""
        async with self._connection() as connection:
            return await queries.altitude_band(connection, flight_id, low_ft, high_ft)

    def instant(self, *, time: datetime, bbox: Box | None, limit: int) -> Portions:
        """The newest position of each flight within the minute up to a time."""
        edges = None if bbox is None else bbox.edges
        return self._read(lambda connection: queries.instant(connection, time=time, bbox=edges, limit=limit))

    def replay(self, *, bbox: Box | None, **window: Any) -> Portions:
        """What changes from frame to frame of a window."""
        edges = None if bbox is None else bbox.edges
        return self._read(lambda connection: queries.replay(connection, bbox=edges, **window))

    async def gaps(self, from_time: datetime, to_time: datetime) -> Sequence[Row]:
        """The gaps that touch a window."""
        async with self._connection() as connection:
            return await queries.gaps(connection, from_time, to_time)

    async def record_export(self, export: Export) -> None:
        """Writes into the audit, by the one function that may: all else that these connections do is read-only."""
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    await connection.execute("SET TRANSACTION READ WRITE")
                    await connection.execute(query("audit_export"), asdict(export))
            except psycopg.Error as error:
                raise unavailable(f"the audit could not be written ({str(error).strip()})", "not-recorded") from error

    async def _read(self, ask: Callable[[AsyncConnection[TupleRow]], Portions]) -> Portions:
        """The portions of an answer. One that is soon read is read before anybody is told any of it, so that a slow
        reader holds no connection; a longer one keeps its own until it is closed, and only so many do at once.
        """
        ahead: list[Sequence[Row]] = []
        async with self._connection() as connection, connection.transaction(), aclosing(ask(connection)) as portions:
            async for rows in portions:
                ahead.append(rows)
                if len(ahead) == AHEAD:
                    break
            if len(ahead) == AHEAD:
                with self._one_long():
                    while ahead:
                        yield ahead.pop(0)
                    async for rows in portions:
                        yield rows
        while ahead:
            yield ahead.pop(0)

    @contextmanager
    def _one_long(self) -> Iterator[None]:
        if self._long >= LONG_ANSWERS:
            raise unavailable(f"{LONG_ANSWERS} long answers are being sent already", "too-many-exports")
        self._long += 1
        try:
            yield
        finally:
            self._long -= 1

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """A connection; failures of the store become 503s that say what they are."""
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


async def gathered(portions: Portions) -> list[Row]:
    """All rows at once: of one flight, for what needs to see it whole."""
    async with aclosing(portions):
        return [row async for rows in portions for row in rows]


async def _store(request: Request) -> History:  # async: FastAPI would take a thread for each plain one
    store: History = request.app.state.store
    return store


HistoryStore = Annotated[History, Depends(_store)]


async def _read_only(connection: AsyncConnection[TupleRow]) -> None:
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(STATEMENT_MS),
        "idle_in_transaction_session_timeout": str(_IDLE_MS),
        "cursor_tuple_fraction": "1",  # who opens a cursor here reads to the end
        "timezone": "UTC",
    }
    await connection.set_autocommit(True)  # a question is one statement; who needs more begins a transaction
    for name, value in settings.items():
        await connection.execute("SELECT set_config(%s, %s, false)", [name, value])
