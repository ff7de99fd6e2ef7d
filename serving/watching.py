"""What changes for somebody who watches a box: who came into it, who moved in it, who left it.

    Frame (where they were when we last told) + Snapshot (where they are) ──► Delta, shared by all ──► Update of one box

A watcher asks for the newest when it can take it. One that is slow therefore gets fewer and larger updates and never an
old one, and nothing is queued for it: what waits is one update in its connection. How updates are written for each
protocol is in `push.py` and `rpc.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog

from flight_platform.telemetry import STREAM_CLIENTS, STREAM_DROPPED
from serving.parameters import Box
from serving.snapshot import Array, Frame, Snapshot, Snapshots, within

log = structlog.get_logger()

PATIENCE_S: Final = 8.0  # for which one that takes nothing is kept; less than a process that ends has left
MOST_CLIENTS: Final = 10_000  # of one process, all protocols together
_SKEW_MS: Final = 2_000  # by which another instance, whose update is resumed from, may have read earlier than we did


@dataclass(frozen=True, slots=True)
class Update:
    """What has changed in a box: places in the snapshot, and ids of those who left.

    With `reset` it is all that is in the box, and whatever was told before is void. `key` is the same for all to whom
    the same is told.
    """

    snapshot: Snapshot
    enter: Array
    move: Array
    leave: list[int]
    key: Hashable
    reset: bool = False

    @property
    def id(self) -> str:
        """What to resume with."""
        return str(self.snapshot.time_ms)

    def once(self, how: Hashable, make: Callable[[], bytes]) -> bytes:
        """The update written in some way, once for all who are told the same."""
        return self.snapshot.shared((self.key, how), make)


class Delta:
    """What has changed between a frame and a snapshot, anywhere: who is new, has a newer position, or is gone."""

    def __init__(self, old: Frame, snapshot: Snapshot) -> None:
        new = snapshot.frame
        self._snapshot, self._since = snapshot, old.time_ms
        places = np.searchsorted(old.flight_ids, new.flight_ids)
        known = places < len(old.flight_ids)
        known[known] = old.flight_ids[places[known]] == new.flight_ids[known]
        changed = ~known
        changed[known] = new.times[known] != old.times[places[known]]
        self._rows = np.flatnonzero(changed)
        before = places[self._rows]
        was = known[self._rows]
        self._was_latitude = np.full(len(before), np.nan)
        self._was_longitude = np.full(len(before), np.nan)
        self._was_latitude[was] = old.latitudes[before[was]]
        self._was_longitude[was] = old.longitudes[before[was]]
        self._latitudes, self._longitudes = new.latitudes[self._rows], new.longitudes[self._rows]
        self._flight_ids = new.flight_ids[self._rows]
        gone = np.isin(old.flight_ids, new.flight_ids, assume_unique=True, invert=True)
        self._gone_ids = old.flight_ids[gone]
        self._gone_latitudes, self._gone_longitudes = old.latitudes[gone], old.longitudes[gone]

    def update(self, box: Box | None) -> Update:
        """What of it concerns a box."""
        now = within(box, self._latitudes, self._longitudes)
        was = within(box, self._was_latitude, self._was_longitude)
        leave = self._flight_ids[was & ~now].tolist()
        leave += self._gone_ids[within(box, self._gone_latitudes, self._gone_longitudes)].tolist()
        return Update(self._snapshot, self._rows[now & ~was], self._rows[now & was], leave, (self._since, box))


def everything(snapshot: Snapshot, box: Box | None) -> Update:
    """All that is in a box, for one who knows nothing."""
    none = np.empty(0, dtype=np.intp)
    return Update(snapshot, np.flatnonzero(snapshot.frame.within(box)), none, [], ("all", box), reset=True)


def resumed(snapshots: Snapshots, snapshot: Snapshot, box: Box | None, last_id: str | None) -> Update:
    """What has changed since the update of that id, which may be another instance's; everything where that is unknown.

    Where the update was not ours, its reader may know what no frame of ours before it shows, and may lack what ours
    already has. So we begin a little before it: what is told twice does no harm, and a leave of one unknown neither.
    """
    if last_id is None or not last_id.isdecimal():
        return everything(snapshot, box)
    last_ms = int(last_id)
    ours = [frame for frame in snapshots.frames if frame.time_ms == last_ms]
    earlier = [frame for frame in snapshots.frames if frame.time_ms <= last_ms - _SKEW_MS]
    if not ours and not earlier:
        return everything(snapshot, box)
    base = ours[0] if ours else earlier[-1]
    update = Delta(base, snapshot).update(box)
    if ours:
        return update
    seen = [frame.flight_ids[frame.within(box)] for frame in snapshots.frames if frame.time_ms >= base.time_ms]
    here = snapshot.frame.flight_ids[snapshot.frame.within(box)]
    leave = np.setdiff1d(np.concatenate(seen), here).tolist()
    return Update(snapshot, update.enter, update.move, leave, ("since", base.time_ms, box))


async def updates(snapshots: Snapshots, box: Box | None, last_id: str | None = None) -> AsyncIterator[Update]:
    """What one watcher of a box is told: an update a snapshot, the first at once; ends where this process does."""
    snapshot = await snapshots.after(-1)
    if snapshot is None:
        return
    yield resumed(snapshots, snapshot, box, last_id)
    told = snapshot.frame
    while (snapshot := await snapshots.after(told.time_ms)) is not None:
        yield _delta(told, snapshot).update(box)
        told = snapshot.frame


def _delta(told: Frame, snapshot: Snapshot) -> Delta:
    return snapshot.once(("delta", told.time_ms), lambda: Delta(told, snapshot))


class Clients:
    """Counts who is pushed to."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether one more is too many."""
        return self._count >= MOST_CLIENTS

    async def left(self, within_s: float) -> None:
        """Returns when all have left, or after that time."""
        end_s = time.monotonic() + within_s
        while self._count and time.monotonic() < end_s:
            await asyncio.sleep(0.02)

    @contextmanager
    def counted(self, protocol: str) -> Iterator[None]:
        """One more, for as long as this lasts."""
        self._count += 1
        STREAM_CLIENTS.labels(protocol).inc()
        began_s = time.monotonic()
        try:
            yield
        finally:
            self._count -= 1
            STREAM_CLIENTS.labels(protocol).dec()
            log.info("stream_ended", protocol=protocol, duration_s=round(time.monotonic() - began_s, 1))


def count_dropped(reason: str) -> None:
    """One stream was ended by us: `slow` took nothing for too long, `full` came when there were too many."""
    STREAM_DROPPED.labels(reason).inc()
