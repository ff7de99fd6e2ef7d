"""History: tracked reports into Postgres, from their bytes to the commit.

The limit is Postgres itself: server-side COPY of the same rows, in the same order and batches, prepared beforehand.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg

from bench.drain import Drain
from bench.machine import say
from bench.measure import Outcome, Sample, Way, alternate, clocked
from bench.run import PARTITIONS, Run, pid_of
from flight_platform import kafka
from flight_platform.codec import DEGREE_STEPS, TENTH_STEPS, decode, decode_columns
from flight_platform.history.copy import COLUMNS, copy_buffer
from flight_platform.history.offsets import Span, start_offsets
from flight_platform.history.partitions import ensure_ahead
from flight_platform.history.writer import Batch, Writer, Written, prepare
from flight_platform.model import Position
from flight_platform.names import TOPIC_POSITIONS, Stage
from streaming.history import BATCH_RECORDS

_TOPIC = "bench"
INSERT = (
    f"INSERT INTO history.positions ({', '.join(COLUMNS)}) VALUES (%s, to_timestamp(%s), to_timestamp(%s)"  # noqa: S608
    + ", %s" * (len(COLUMNS) - 3)
    + ")"
)


def measure(run: Run) -> list[Outcome]:
    """All ways over one database; the table is emptied before each."""
    say("history: server-side COPY, INSERTs, ours")
    messages = run.tracked(run.pick(5, 12) * BATCH_RECORDS, ticks=10)
    with run.database() as url, psycopg.connect(url, autocommit=True) as connection:
        ensure_ahead(connection, datetime.now(UTC), days=1)
        history = _History(run, connection, url, messages)
        with history.process() as drain:
            ways = [
                Way("server-side COPY of the same rows", "limit", history.server_side),
                Way("one INSERT and one commit a report", "naive", history.inserts),
                Way("one INSERT a report, commit each 1,000", "naive", history.inserts_together),
                Way("Writer, from bytes in memory", "ours", history.writer),
                Way("the history process, from Kafka", "ours", drain),
            ]
            return alternate(ways, run.rounds)


class _History:
    def __init__(self, run: Run, connection: psycopg.Connection, url: str, messages: list[bytes]) -> None:
        self._run, self._connection, self._url, self._messages = run, connection, url, messages
        self._batches = [messages[start : start + BATCH_RECORDS] for start in range(0, len(messages), BATCH_RECORDS)]
        self._few = run.pick(1_000, 3_000)
        logs = {number: Span(start=0, stop=0) for number in range(PARTITIONS)}
        self._offsets = start_offsets(connection, _TOPIC, logs)
        self._files = [self._file(number, batch) for number, batch in enumerate(self._batches)]
        self._writer = Writer(connection, kafka.now_ms)

    def _file(self, number: int, batch: list[bytes]) -> Path:
        """A batch's rows, sorted as ours, where PostgreSQL's account can read them."""
        columns, _ = decode_columns(batch)
        path = self._run.folder / f"rows-{number}.copy"
        path.write_bytes(copy_buffer(columns.take(np.lexsort((columns["time"], columns["flight_id"])))))
        path.chmod(0o644)
        return path

    def _empty(self) -> None:
        self._connection.execute("TRUNCATE history.positions")
        self._connection.execute("CHECKPOINT")  # nobody pays for another's dirty pages

    def server_side(self) -> Sample:
        self._empty()
        with clocked(len(self._messages), [pid_of(self._run.postgres)]) as sample:
            for path in self._files:
                self._connection.execute(
                    f"COPY history.positions ({', '.join(COLUMNS)}) FROM '{path}' (FORMAT binary)".encode()
                )
        return sample

    def inserts(self) -> Sample:
        self._empty()
        with clocked(self._few, [pid_of(self._run.postgres)]) as sample:
            for message in self._messages[: self._few]:
                self._connection.execute(INSERT, row_of(decode(message)))
        return sample

    def inserts_together(self) -> Sample:
        self._empty()
        count = 3 * self._few
        with clocked(count, [pid_of(self._run.postgres)]) as sample:
            for start in range(0, count, 1000):
                with self._connection.transaction():
                    for message in self._messages[start : start + 1000]:
                        self._connection.execute(INSERT, row_of(decode(message)))
        return sample

    def writer(self) -> Sample:
        self._empty()
        under_way: list[Future[Written]] = []  # as the consumer does it: one is prepared while one is written
        with ThreadPoolExecutor(1) as hands, clocked(len(self._messages), [pid_of(self._run.postgres)]) as sample:
            for values in self._batches:
                prepared = prepare(self._batch(values))
                wait(under_way)
                under_way.append(hands.submit(self._writer.write_prepared, prepared))
            for written in under_way:
                written.result()
        return sample

    def _batch(self, values: list[bytes]) -> Batch:
        """As the consumer makes it; the records go round the partitions."""
        index = np.arange(len(values))
        partitions, place = index % PARTITIONS, index // PARTITIONS
        start = np.array([self._offsets[number] for number in range(PARTITIONS)])
        spans = {}
        for number in range(PARTITIONS):
            first, count = self._offsets[number], int((partitions == number).sum())
            spans[number] = Span(start=first, stop=first + count)
            self._offsets[number] = first + count
        return Batch(topic=_TOPIC, spans=spans, values=values, partitions=partitions, offsets=start[partitions] + place)

    @contextmanager
    def process(self) -> Iterator["Drain"]:
        """The real process, which finds a backlog in Kafka."""
        settings = self._run.settings(self._run.live[:1], self._url)
        topic = settings.topic(TOPIC_POSITIONS)

        def written() -> int:
            row = self._connection.execute(
                "SELECT sum(next_offset)::int8 FROM ops.offsets WHERE topic = %s", [topic]
            ).fetchone()
            return int(row[0] or 0) if row else 0

        with Drain(
            self._run,
            settings,
            Stage.HISTORY,
            TOPIC_POSITIONS,
            lambda: self._messages,
            written,
            self._empty,
            servers=[pid_of(self._run.postgres), pid_of(self._run.kafka)],
            ready="partitions_placed",
        ) as drain:
            yield drain


def row_of(position: Position) -> tuple[object, ...]:
    def steps(value: float | None, unit: int) -> int | None:
        return None if value is None else round(value * unit)

    return (
        position.flight_id,
        position.time / 1000,
        position.received_at / 1000,
        steps(position.latitude, DEGREE_STEPS),
        steps(position.longitude, DEGREE_STEPS),
        position.altitude_ft,
        position.geometric_altitude_ft,
        position.vertical_rate_fpm,
        steps(position.ground_speed_kt, TENTH_STEPS),
        steps(position.track_deg, TENTH_STEPS),
        position.emergency,
        position.kind,
        position.on_ground,
        position.callsign,
        position.squawk,
        position.source,
    )
