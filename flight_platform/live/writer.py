"""Writing the live store: each flight's SET to the servers that hold it, and a server that is away to be filled again.

    rows ──► placement ──► pack ──► connection (one a server)
                                        │ fails
                                        ▼
              away ──► (a thread knocks, with growing pauses) ──► back, empty as far as we know ──► filled by the caller

A server that is away never holds up the others, and what was meant for it meanwhile is not kept: it is filled with the
newest rows when it is back. What those are is the caller's to know.
"""

import threading
from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import structlog

from flight_platform.codec import Array, Columns
from flight_platform.errors import ShardError
from flight_platform.live.connection import Connection
from flight_platform.live.pack import pack_sets
from flight_platform.live.shards import Placement, Shard, parse_shards
from flight_platform.names import COLLECTION_WATERMARKS
from flight_platform.settings import Settings
from flight_platform.telemetry import LIVE_OBJECTS

log = structlog.get_logger()

Mask = npt.NDArray[np.bool_]

WATERMARK_LIFE_S: Final = 15
PARTITIONS_ID: Final = "partitions"  # the object that tells how many partitions there are
_BATCH_ROWS: Final = 1000  # SETs sent at once: some 700 kB
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class _Server:
    """One live server: its connection while there is one, and whether it holds all that it should."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.filled = False
        self.watermarks: set[int] = set()  # partitions whose watermark this process wrote on this connection
        self._connection: Connection | None = None
        self._found: Connection | None = None  # handed over by the thread that knocks
        self._pause_s = 0.0
        self._closed = threading.Event()
        self._said_away = False
        self._knock_in_background()

    @property
    def connection(self) -> Connection | None:
        """The connection, or None while the server is away."""
        if self._connection is None and self._found is not None:
            self._connection, self._found = self._found, None
            self.filled = False
            self.watermarks.clear()
        return self._connection

    def mark_filled(self) -> None:
        self.filled = True
        self._pause_s = 0.0
        log.info("live_server_filled", server=self.shard.label)
        self._said_away = False

    def lost(self, error: ShardError) -> None:
        """Gives the connection up after an error; a thread looks for a new one."""
        self._say_away(error)
        if self._connection is not None:
            self._connection.close()
        self._connection, self.filled = None, False
        self._knock_in_background()

    def close(self) -> None:
        self._closed.set()
        for connection in (self._connection, self._found):
            if connection is not None:
                connection.close()

    def _say_away(self, error: ShardError) -> None:
        if not self._said_away:  # once an outage
            log.warning("live_server_away", server=self.shard.label, problem=str(error), consequence="others go on")
        self._said_away = True

    def _knock_in_background(self) -> None:
        threading.Thread(target=self._knock, name=f"knock {self.shard.label}", daemon=True).start()

    def _knock(self) -> None:
        while not self._closed.wait(self._pause_s):
            # It grows over a server that lets us in and then fails as well: only one that could be filled resets it.
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            try:
                self._found = Connection(self.shard)
            except ShardError as error:
                self._say_away(error)
            else:
                return


class LiveWriter:
    """Writes to all servers of the settings. Not for several threads; no method raises because a server is away."""

    def __init__(self, settings: Settings) -> None:
        shards = parse_shards(settings.tile38_urls)
        self._placement = Placement(shards, settings.tile38_copies)
        self._servers = [_Server(shard) for shard in shards]
        self._window_ms = round(settings.live_window_s * 1000)

    def write(self, rows: Columns, now_ms: int, guarded: Mask | None = None) -> int:
        """Writes rows (one a flight) to the filled servers that hold them; how many went to at least one.

        Of `guarded` rows a server takes none whose flight it has: what it has may be newer, from another consumer.
        """
        if not len(rows):
            return 0
        holders = self._placement.holders(rows["flight_id"])
        reached = holders[0] & False
        for server, held in zip(self._servers, holders, strict=True):
            if server.filled and held.any() and self._send(server, rows, held, now_ms, guarded):
                reached |= held
        return int(reached.sum())

    def unfilled(self) -> bool:
        """True where a server is back that has to be filled."""
        return any(server.connection is not None and not server.filled for server in self._servers)

    def fill(self, rows: Columns, now_ms: int, guarded: Mask | None = None) -> int:
        """Writes all rows to the servers that are back, which then count as filled; how many SETs that took."""
        holders = self._placement.holders(rows["flight_id"])
        count = 0
        for server, held in zip(self._servers, holders, strict=True):
            if server.connection is None or server.filled or not self._send(server, rows, held, now_ms, guarded):
                continue
            try:
                server.connection.settle()
            except ShardError as error:
                server.lost(error)
            else:
                server.mark_filled()
                count += int(held.sum())
        return count

    def find_emptied(self, partitions: Collection[int]) -> None:
        """Looks whether the servers still hold the watermarks that we gave them; one that does not is to be filled."""
        for server in self._servers:
            asked = sorted(server.watermarks.intersection(partitions))
            if server.connection is None or not server.filled or not asked:
                continue
            try:
                found = server.connection.ask([("GET", COLLECTION_WATERMARKS, partition) for partition in asked])
            except ShardError as error:
                server.lost(error)
                continue
            if None in found:
                log.warning("live_server_emptied", server=server.shard.label, consequence="it is filled again")
                server.filled = False

    def write_watermarks(self, watermarks: dict[int, int], partitions: int) -> bool:
        """Tells readers how far each of our partitions is, on the filled servers alone; whether any took it."""
        life = ("EX", WATERMARK_LIFE_S, "STRING")
        commands: list[tuple[Any, ...]] = [("SET", COLLECTION_WATERMARKS, PARTITIONS_ID, *life, partitions)]
        commands += [("SET", COLLECTION_WATERMARKS, partition, *life, time) for partition, time in watermarks.items()]
        taken = False
        for server in self._servers:
            if server.connection is None or not server.filled:
                continue
            try:
                server.connection.ask(commands)
            except ShardError as error:
                server.lost(error)
                continue
            server.watermarks = set(watermarks)
            taken = True
        return taken

    def settle(self) -> None:
        """Waits until the servers have taken all that was written."""
        for server in self._servers:
            try:
                if server.connection is not None:
                    server.connection.settle()
            except ShardError as error:
                server.lost(error)

    def away(self) -> list[str]:
        """The servers that do not hold what they should."""
        return [server.shard.label for server in self._servers if not server.filled]

    def count_objects(self, rows: Columns) -> None:
        """Sets the metric of flights a server."""
        holders = self._placement.holders(rows["flight_id"])
        for server, held in zip(self._servers, holders, strict=True):
            LIVE_OBJECTS.labels(server.shard.label).set(int(held.sum()) if server.filled else 0)

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _send(self, server: _Server, rows: Columns, held: Mask, now_ms: int, guarded: Mask | None) -> bool:
        """Sends the rows that a server holds; whether it took them."""
        parts = [(held, False)] if guarded is None else [(held & ~guarded, False), (held & guarded, True)]
        try:
            for mask, only_absent in parts:
                chosen = rows if mask.all() else rows.take(mask)
                for start in range(0, len(chosen), _BATCH_ROWS):
                    part = chosen if len(chosen) <= _BATCH_ROWS else chosen.take(_run_of(chosen, start))
                    packed = pack_sets(part, now_ms, self._window_ms, only_absent=only_absent)
                    server.connection.send(packed, len(part))  # type: ignore[union-attr]
        except ShardError as error:
            server.lost(error)
            return False
        return True


def _run_of(rows: Columns, start: int) -> Array:
    return np.arange(start, min(start + _BATCH_ROWS, len(rows)))
