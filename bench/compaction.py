"""What history weighs at rest, and what it takes to get there: raw, arrays as they are, chunks, Parquet.

The workload is whole tracks of the recording (else generated ones), its times moved off the whole second as those of
real feeds are, a geometric altitude added where it has none: at one report a second, and each fifth of them of five
times as many aircraft. Arrays as they are, compressed by PostgreSQL, are what an ordinary table of tracks would take.
"""

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import psycopg
import uvloop

from bench.machine import say
from bench.measure import cpu_seconds
from bench.run import RECORDING, Run
from flight_platform.codec import Columns, decode_columns, encode
from flight_platform.history import chunks, queries
from flight_platform.history.archive import archive_day
from flight_platform.history.chunk_copy import chunk_buffer, chunks_from
from flight_platform.history.compaction import compact_hours
from flight_platform.history.copied import copied
from flight_platform.history.copy import copy_buffer
from flight_platform.history.partitions import HOUR, ensure_hour, list_hours, start_of_hour
from flight_platform.history.reading import BATCH_CHUNKS, in_order, joined
from flight_platform.history.sql import query
from flight_platform.history.verdicts import record_verdict
from flight_platform.model import make_flight_id
from streaming.sources.recordings import open_recording

_ASKED: Final = 20  # times that a track is asked for; the shortest counts, which others have disturbed least
_HOURS_BACK: Final = 60  # so old that all of it is closed, and its day is settled
ARRAYS: Final = """
    CREATE TABLE bench_arrays AS
    SELECT flight_id, hour, callsign, squawk, source, kind, emergency, on_ground,
        array_agg(time ORDER BY time) AS time, array_agg(received_at ORDER BY time) AS received_at,
        array_agg(latitude_e7 ORDER BY time) AS latitude_e7, array_agg(longitude_e7 ORDER BY time) AS longitude_e7,
        array_agg(altitude_ft ORDER BY time) AS altitude_ft,
        array_agg(geometric_altitude_ft ORDER BY time) AS geometric_altitude_ft,
        array_agg(vertical_rate_fpm ORDER BY time) AS vertical_rate_fpm,
        array_agg(ground_speed_dkt ORDER BY time) AS ground_speed_dkt, array_agg(track_ddeg ORDER BY time) AS track_ddeg
    FROM history.all_positions
    GROUP BY flight_id, hour, callsign, squawk, source, kind, emergency, on_ground;
    CREATE INDEX ON bench_arrays (flight_id, hour)
"""
LEAVES: Final = """
    SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0), coalesce(sum(pg_table_size(inhrelid)), 0)
    FROM pg_inherits WHERE inhparent = %s::regclass
"""


def measure(run: Run) -> list[dict[str, Any]]:
    """A row for each spacing of reports."""
    whole = _tracks(run)
    steps = (1, 5) if RECORDING.is_file() else (1,)  # a fifth of a generated track is no track
    return [_measure(run, _copies(_each(whole, step), step, bit=47), step) for step in steps]


def _measure(run: Run, columns: Columns, step_s: int) -> dict[str, Any]:
    size = len(columns)
    say(f"compaction: {size:,} positions, {step_s} s apart")
    row: dict[str, Any] = {"step_s": step_s, "positions": size, "flights": len(np.unique(columns["flight_id"]))}
    with run.database() as url, psycopg.connect(url, autocommit=True) as connection:
        for number in np.unique(columns["time"] // 3_600_000).tolist():
            ensure_hour(connection, datetime.fromtimestamp(number * 3600, UTC))
        with connection.cursor().copy(query("positions_copy")) as copy:
            copy.write(copy_buffer(columns))
        hours = list_hours(connection)
        for hour in hours:
            record_verdict(connection, hour, passed=True, rows=size, failures=[])
        raw, heap = _sizes(connection, "history.positions")
        row["bytes"] = {"raw": raw / size, "raw, heap alone": heap / size}
        flight = _flight_of(columns, 1_000)
        row["track"] = {"positions": int((columns["flight_id"] == flight).sum())}
        row["track"]["raw_ms"] = _track_ms(url, flight)
        began, ours, servers = time.perf_counter(), time.process_time(), _server_s(connection)
        compact_hours(connection, hours, datetime.now(UTC))
        row["whole_per_s"] = round(size / (time.perf_counter() - began))
        row["core_per_s"] = round(size / (time.process_time() - ours + _server_s(connection) - servers))
        row["encode_per_s"] = round(size / _seconds(lambda: chunk_buffer(chunks.encode(columns))))
        row["decode_per_s"] = round(size / _seconds(_reader_of_chunks(connection)))
        row["bytes"]["chunks"] = _sizes(connection, "history.chunks")[0] / size
        row["track"]["chunks_ms"] = _track_ms(url, flight)
        connection.execute(ARRAYS)
        arrays = connection.execute("SELECT pg_total_relation_size('bench_arrays')").fetchone()
        row["bytes"]["arrays as they are"] = int(arrays[0] if arrays else 0) / size
        days = sorted({hour.date() for hour in hours})
        began = time.perf_counter()
        files = [archive_day(connection, run.folder / f"archive-{step_s}", day) for day in days]
        row["archive_per_s"] = round(size / (time.perf_counter() - began))
        row["bytes"]["Parquet"] = sum(file.bytes for file in files) / size
    return row


def _sizes(connection: psycopg.Connection, table: str) -> tuple[int, int]:
    """Bytes of a table's leaves: with index and all, and without the index."""
    found = connection.execute(LEAVES, [table]).fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def _track_ms(url: str, flight: int) -> float:
    """The time that the history API's question for a track takes, rows in Python included."""

    async def shortest() -> float:
        times = []
        async with await psycopg.AsyncConnection.connect(url) as connection:
            for _ in range(_ASKED):
                began = time.perf_counter()
                async with aclosing(queries.track(connection, flight)) as portions:
                    async for _rows in portions:
                        pass
                await connection.commit()
                times.append(time.perf_counter() - began)
        return min(times) * 1e3

    return uvloop.run(shortest())


def _reader_of_chunks(connection: psycopg.Connection) -> Callable[[], object]:
    def read() -> None:
        with connection.cursor() as cursor:
            statement = "COPY history.chunks TO STDOUT (FORMAT binary)"
            parts = connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'history.chunks'::regclass"
            ).fetchall()
            for (leaf,) in parts:
                for rows in copied(cursor, statement.replace("history.chunks", leaf), None, BATCH_CHUNKS):
                    chunks.decode(chunks_from(rows))

    return read


def _seconds(act: Callable[[], object]) -> float:
    """Processor time of this process: what one core does."""
    began = time.process_time()
    act()
    return time.process_time() - began


def _server_s(connection: psycopg.Connection) -> float:
    """Processor time of the server's process that serves us."""
    return cpu_seconds(connection.info.backend_pid)


def _flight_of(columns: Columns, wanted: int) -> int:
    """The flight whose number of positions is nearest to this."""
    flights, counts = np.unique(columns["flight_id"], return_counts=True)
    return int(flights[np.argmin(np.abs(counts - wanted))])


def _each(columns: Columns, step_s: int) -> Columns:
    """The reports that are this far apart."""
    return columns if step_s == 1 else columns.take(columns["time"] // 1000 % step_s == 0)


def _copies(columns: Columns, count: int, *, bit: int) -> Columns:
    """So many of each flight, with other addresses: they differ from that bit of the flight id on."""
    others = [{**columns.values, "flight_id": columns["flight_id"] ^ number << bit} for number in range(count)]
    return in_order(joined([Columns(values, columns.known) for values in others]))


def _tracks(run: Run) -> Columns:
    """Whole tracks as columns, so long ago that their hours are closed."""
    columns = _recorded() if RECORDING.is_file() else decode_columns(run.tracked(120_000, ticks=120))[0]
    chance = np.random.default_rng(1)
    shift = int((start_of_hour(datetime.now(UTC)) - _HOURS_BACK * HOUR).timestamp()) * 1000
    shift -= int(columns["time"].min()) // 3_600_000 * 3_600_000
    moved = chance.integers(0, 400, len(columns))
    columns.values["time"] = columns["time"] + shift + moved
    columns.values["received_at"] = columns["time"] + 100 + chance.gamma(4, 80, len(columns)).astype("i8")
    columns.values["flight_id"] = columns["flight_id"] + shift // 1000
    if not columns.known["geometric_altitude_ft"].any():
        above = 25 * np.rint(chance.normal(24, 1, len(columns)))
        columns.values["geometric_altitude_ft"] = (columns["altitude_ft"] + above).astype("i4")
        columns.known["geometric_altitude_ft"] = columns.known["altitude_ft"].copy()
    return in_order(columns)


def _recorded() -> Columns:
    """The recording, each aircraft one flight, four times over."""
    born: dict[str, int] = {}
    messages = []
    for batch in open_recording(RECORDING, name="bench").batches():
        for position in batch.positions:
            second = born.setdefault(position.icao24, position.time // 1000)
            flight = make_flight_id(int(position.icao24, 16), second)
            messages.append(encode(replace(position, flight_id=flight, received_at=position.time)))
    return _copies(decode_columns(messages)[0], 4, bit=52)
