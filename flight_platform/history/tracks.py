"""The positions of one flight in order of time, each once: the raw ones as rows, those in chunks unpacked here.

    raw: rows ───────────────────┐
    chunks: their bytes, then ───┴─► by time ─► portions of rows

The two tables are asked and not the view over both, whose plan over all leaves takes longer than all of the rest; and
what SQL unpacks a position at a time, `chunks.py` unpacks a chunk at a time. The raw ones are asked first: what
compaction moves between the two questions is in both answers then, and told once; the other way round it would be
missing.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from flight_platform.codec import DEGREE_STEPS, TENTH_STEPS, Columns
from flight_platform.history.chunk_copy import chunks_from, hour_of
from flight_platform.history.chunks import decode
from flight_platform.history.copied import rows_sent
from flight_platform.history.sql import query
from flight_platform.model import Emergency, Kind, format_flight_id, icao24_of

UNPACKED: Final = 64  # chunks at once, or those of one hour: some 10,000 positions

_NEXT: Final = timedelta.resolution  # after a time

Row = dict[str, Any]
_time: Final = itemgetter("time")
_KINDS: Final = {kind.value: kind.label for kind in Kind}
_EMERGENCIES: Final = {emergency.value: emergency.label for emergency in Emergency}


async def read_track(
    conn: AsyncConnection[Any], flight_id: int, *, from_time: datetime, to_time: datetime, portion: int
) -> AsyncGenerator[list[Row]]:
    """The positions of a flight in a stretch of time, with the documented names, some `portion` at a time.

    Within a transaction of the caller's.
    """
    asked = {"flight_key": flight_id, "from_time": from_time, "to_time": to_time}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("track_raw"), {**asked, "most": portion}, prepare=False, binary=True)
        raw = await cursor.fetchall()
    if len(raw) < portion:  # mostly: all of an older flight is in chunks
        async for rows in _woven(raw, _no_more, await _packed(conn, asked), portion):
            yield rows
        return
    async with conn.cursor("track_raw", row_factory=dict_row) as further:  # before the chunks are asked, as the first
        asked_further = {**asked, "from_time": raw[-1]["time"] + _NEXT, "most": None}
        await further.execute(query("track_raw"), asked_further, binary=True)
        async for rows in _woven(raw, lambda: further.fetchmany(portion), await _packed(conn, asked), portion):
            yield rows


async def _no_more() -> list[Row]:
    return []


async def _woven(
    raw: list[Row], more_raw: Callable[[], Awaitable[list[Row]]], packed: Sequence[bytes], portion: int
) -> AsyncGenerator[list[Row]]:
    """Raw rows, of which `more_raw` brings further ones as long as there are any, and those of chunks, by time."""
    for rows in _unpacked(packed, portion):
        last = rows[-1]["time"]
        while raw and raw[-1]["time"] <= last and (more := await more_raw()):
            raw += more
        late = [row for row in raw if row["time"] <= last]
        raw = raw[len(late) :]
        yield _merged(rows, late) if late else rows
    while raw:
        yield raw
        raw = await more_raw()


async def _packed(conn: AsyncConnection[Any], asked: dict[str, Any]) -> list[bytes]:
    """The chunks, by hour, as a binary COPY sends them: a sixth of what they hold."""
    async with conn.cursor() as cursor, cursor.copy(query("track_chunks"), asked) as copy:
        return rows_sent([bytes(data) async for data in copy])


def _unpacked(packed: Sequence[bytes], portion: int) -> Iterator[list[Row]]:
    """Their positions by time."""
    together: list[bytes] = []
    for _, of_hour in groupby(packed, hour_of):
        together += of_hour
        if len(together) >= UNPACKED:
            yield from _portions(together, portion)
            together = []
    if together:
        yield from _portions(together, portion)


def _portions(packed: Sequence[bytes], portion: int) -> Iterator[list[Row]]:
    columns = decode(chunks_from(packed))
    for start in range(0, len(columns), portion):
        yield rows_of(columns.take(slice(start, start + portion)))


def _merged(rows: list[Row], late: list[Row]) -> list[Row]:
    """Both by time; a position that is in both, once."""
    return list({row["time"]: row for row in sorted([*rows, *late], key=_time)}.values())


def rows_of(columns: Columns) -> list[Row]:
    """Positions of one flight as records with the documented names."""
    if not len(columns):
        return []
    number = int(columns["flight_id"][0])
    flight_id, icao24 = format_flight_id(number), icao24_of(number >> 32)
    told = (
        _moments(columns, "time"),
        _moments(columns, "received_at"),
        (columns["latitude_e7"] / DEGREE_STEPS).tolist(),
        (columns["longitude_e7"] / DEGREE_STEPS).tolist(),
        _known(columns, "altitude_ft"),
        _known(columns, "geometric_altitude_ft"),
        _known(columns, "on_ground"),
        _known(columns, "ground_speed_dkt", TENTH_STEPS),
        _known(columns, "track_ddeg", TENTH_STEPS),
        _known(columns, "vertical_rate_fpm"),
        _texts(columns, "callsign"),
        _texts(columns, "squawk"),
        map(_EMERGENCIES.get, _known(columns, "emergency")),
        map(_KINDS.get, _known(columns, "kind")),
        _texts(columns, "source"),
    )
    return [
        {  # written out: a third of the time that dict(zip()) takes
            "flight_id": flight_id,
            "icao24": icao24,
            "time": time,
            "received_at": received_at,
            "latitude": latitude,
            "longitude": longitude,
            "altitude_ft": altitude_ft,
            "geometric_altitude_ft": geometric_altitude_ft,
            "on_ground": on_ground,
            "ground_speed_kt": ground_speed_kt,
            "track_deg": track_deg,
            "vertical_rate_fpm": vertical_rate_fpm,
            "callsign": callsign,
            "squawk": squawk,
            "emergency": emergency,
            "kind": kind,
            "source": source,
        }
        for (
            time,
            received_at,
            latitude,
            longitude,
            altitude_ft,
            geometric_altitude_ft,
            on_ground,
            ground_speed_kt,
            track_deg,
            vertical_rate_fpm,
            callsign,
            squawk,
            emergency,
            kind,
            source,
        ) in zip(*told, strict=True)
    ]


def _moments(columns: Columns, name: str) -> list[datetime]:
    return [datetime.fromtimestamp(ms / 1000, UTC) for ms in columns[name].tolist()]


def _known(columns: Columns, name: str, steps: int | None = None) -> list[Any]:
    values: list[Any] = (columns[name] if steps is None else columns[name] / steps).tolist()
    known = columns.known[name]
    if known.all():
        return values
    return [value if there else None for value, there in zip(values, known.tolist(), strict=True)]


def _texts(columns: Columns, name: str) -> list[str | None]:
    texts = _known(columns, name)
    if texts.count(texts[0]) == len(texts):  # as mostly
        return [texts[0] if texts[0] is None else texts[0].decode()] * len(texts)
    return [None if text is None else text.decode() for text in texts]
