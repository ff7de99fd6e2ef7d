"""What changes for somebody who watches a view: who came into it, who moved in it, who left it.

    Frame (where they were when we last told) + Snapshot (where they are) ──► Delta, shared by all ──► Update of a view

A view is a box and filters (`selection.py`): a flight that begins to match comes into it, one that ceases leaves it.

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
from serving.frame import Array, Frame
from serving.selection import View
from serving.snapshot import Snapshot, Snapshots

log = structlog.get_logger()

PATIENCE_S: Final = 8.0  # for which one that takes nothing is kept; less than a process that ends has left
MOST_CLIENTS: Final = 10_000  # of one process, all protocols together
_SKEW_MS: Final = 2_000  # by which another instance, whose update is resumed from, may have read earlier than we did


@dataclass(frozen=True, slots=True)
class Update:
    """What has changed in a view: places in the snapshot, and ids of those who left.

    With `reset` it is all that is in the view, and whatever was told before is void. `key` is the same for all to whom
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
    """What has changed between a frame and a snapshot, anywhere: who is new, has a newer position, or is gone.

    With `ages` those who have not changed are looked at, too: for views that one leaves by growing old.
    """

    def __init__(self, old: Frame, snapshot: Snapshot, *, ages: bool = False) -> None:
        new = snapshot.frame
        places = np.searchsorted(old.flight_ids, new.flight_ids)
        known = places < len(old.flight_ids)
        known[known] = old.flight_ids[places[known]] == new.flight_ids[known]
        changed = ~known
        changed[known] = new.times[known] != old.times[places[known]]
        self._snapshot, self._since = snapshot, old.time_ms
        self._rows = np.arange(len(changed)) if ages else np.flatnonzero(changed)
        self._changed, self._known = changed[self._rows], known[self._rows]
        self._now = new.at(self._rows)
        self._before = old.at(places[self._rows][self._known])
        self._gone = old.at(np.isin(old.flight_ids, new.flight_ids, assume_unique=True, invert=True))

    def update(self, view: View) -> Update:
        """What of it concerns a view."""
        now = view.mask(self._now)
        was = np.zeros(len(now), dtype=bool)
        was[self._known] = view.mask(self._before)
        leave = self._now.flight_ids[was & ~now].tolist() + self._gone.flight_ids[view.mask(self._gone)].tolist()
        enter, move = self._rows[now & ~was], self._rows[now & was & self._changed]
        return Update(self._snapshot, enter, move, leave, (self._since, view))


def everything(snapshot: Snapshot, view: View) -> Update:
    """All that is in a view, for one who knows nothing."""
    none = np.empty(0, dtype=np.intp)
    return Update(snapshot, np.flatnonzero(view.mask(snapshot.frame)), none, [], ("all", view), reset=True)


def resumed(snapshots: Snapshots, snapshot: Snapshot, view: View, last_id: str | None) -> Update:
    """What has changed since the update of that id, which may be another instance's; everything where that is unknown.

    Where the update was not ours, its reader may know what no frame of ours before it shows, and may lack what ours
    already has. So we begin a little before it: what is told twice does no harm, and a leave of one unknown neither.
    """
    if last_id is None or not last_id.isdecimal():
        return everything(snapshot, view)
    last_ms = int(last_id)
    ours = [frame for frame in snapshots.frames if frame.time_ms == last_ms]
    earlier = [frame for frame in snapshots.frames if frame.time_ms <= last_ms - _SKEW_MS]
    if not ours and not earlier:
        return everything(snapshot, view)
    base = ours[0] if ours else earlier[-1]
    update = _delta(base, snapshot, view).update(view)
    if ours:
        return update
    seen = [frame.flight_ids[view.mask(frame)] for frame in snapshots.frames if frame.time_ms >= base.time_ms]
    here = snapshot.frame.flight_ids[view.mask(snapshot.frame)]
    leave = np.setdiff1d(np.concatenate(seen), here).tolist()
    return Update(snapshot, update.enter, update.move, leave, ("since", base.time_ms, view))


async def updates(snapshots: Snapshots, view: View, last_id: str | None = None) -> AsyncIterator[Update]:
    """What one watcher of a view is told: an update a snapshot, the first at once; ends where this process does."""
    snapshot = await snapshots.after(-1)
    if snapshot is None:
        return
    yield resumed(snapshots, snapshot, view, last_id)
    told = snapshot.frame
    while (snapshot := await snapshots.after(told.time_ms)) is not None:
        yield _delta(told, snapshot, view).update(view)
        told = snapshot.frame


def _delta(told: Frame, snapshot: Snapshot, view: View) -> Delta:
    """Made once for all who were told the same last."""
    return snapshot.once(("delta", told.time_ms, view.ages), lambda: Delta(told, snapshot, ages=view.ages))


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
