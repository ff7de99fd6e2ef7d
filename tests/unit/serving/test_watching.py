"""What one who watches a box is told, held to what was there before and after."""

import asyncio
from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.model import Position, make_flight_id
from serving.parameters import Box
from serving.snapshot import Frame, Snapshot, Snapshots
from serving.watching import Delta, Update, everything, resumed, updates
from tests.unit.serving.skies import START_MS, answer, flight, snapshot

BOX = Box(0, 40, 10, 50)
IN, OUT = (45.0, 5.0), (45.0, 15.0)

PLACES = st.sampled_from([IN, OUT, (50.0, 10.0), (40.0, 0.0), (39.9, 5.0), (45.0, -175.0), (45.0, 175.0)])
SKIES = st.dictionaries(st.integers(1, 8), st.tuples(PLACES, st.integers(0, 3)), max_size=8)
BOXES = st.sampled_from([BOX, Box(170, 40, -170, 50), None])


def flights_of(sky: dict[int, tuple[tuple[float, float], int]]) -> list[Position]:
    return [flight(number, *place, time_ms=START_MS + late) for number, (place, late) in sky.items()]


def ids(*numbers: int) -> list[int]:
    return [make_flight_id(number, 1_769_860_000) for number in numbers]


def view(sky: Snapshot, box: Box | None) -> dict[int, int]:
    """What somebody who sees all of a box knows: the time of each flight in it."""
    inside = sky.frame.within(box)
    return dict(zip(sky.frame.flight_ids[inside].tolist(), sky.frame.times[inside].tolist(), strict=True))


def follow(known: dict[int, int], update: Update) -> dict[int, int]:
    """What a client knows after an update."""
    after = {} if update.reset else dict(known)
    frame = update.snapshot.frame
    for place in [*update.enter.tolist(), *update.move.tolist()]:
        after[int(frame.flight_ids[place])] = int(frame.times[place])
    for flight_id in update.leave:
        after.pop(flight_id, None)
    return after


@given(SKIES, SKIES, BOXES)
def test_who_follows_the_updates_knows_what_is_there(
    before: dict[int, tuple[tuple[float, float], int]],
    after: dict[int, tuple[tuple[float, float], int]],
    box: Box | None,
) -> None:
    # A flight without a newer report is where it was.
    after = {
        n: before[n] if n in before and before[n][1] == late else (place, late) for n, (place, late) in after.items()
    }
    old, new = snapshot(*flights_of(before)), snapshot(*flights_of(after), time_ms=START_MS + 1000)
    update = Delta(old.frame, new).update(box)
    known, expected = view(old, box), view(new, box)
    assert follow(known, update) == expected
    told = new.frame.flight_ids
    assert set(told[update.enter].tolist()) == expected.keys() - known.keys()
    assert set(told[update.move].tolist()) == {f for f in expected.keys() & known.keys() if expected[f] != known[f]}
    assert set(update.leave) == known.keys() - expected.keys()
    assert follow({-1: 0}, everything(new, box)) == expected


def kept(*skies: Snapshot) -> Snapshots:
    """Snapshots that have seen these."""
    snapshots = Snapshots(lambda: asyncio.sleep(0, answer()))
    snapshots.frames = deque(sky.frame for sky in skies)
    return snapshots


def test_resuming_from_our_own_update_tells_what_has_changed_since() -> None:
    first = snapshot(flight(1, *IN), flight(2, *IN))
    second = snapshot(flight(1, *IN), flight(2, *OUT, time_ms=START_MS + 900), time_ms=START_MS + 1000)
    last = snapshot(flight(1, *IN), flight(3, *IN), time_ms=START_MS + 2000)
    update = resumed(kept(first, second, last), last, BOX, str(START_MS))
    assert (update.reset, last.frame.flight_ids[update.enter].tolist(), update.move.tolist()) == (False, ids(3), [])
    assert update.leave == ids(2)


def test_resuming_from_another_instance_loses_nobody() -> None:
    """It read at other times than we did: a flight may have come and gone between two frames that we compare."""
    first = snapshot(flight(1, *IN))
    passing = snapshot(flight(1, *IN), flight(2, *IN), time_ms=START_MS + 3000)
    last = snapshot(flight(1, *IN, time_ms=START_MS + 3900), time_ms=START_MS + 4000)
    update = resumed(kept(first, passing, last), last, BOX, str(START_MS + 3100))
    assert (update.reset, update.leave) == (False, ids(2))
    assert last.frame.flight_ids[update.move].tolist() == ids(1)


def test_what_cannot_be_resumed_begins_anew() -> None:
    sky = snapshot(flight(1, *IN), time_ms=START_MS)
    for last_id in (None, "", "x", "-1", str(START_MS - 60_000), str(START_MS + 1)):
        update = resumed(kept(sky), sky, BOX, last_id)
        assert (update.reset, update.enter.tolist()) == (True, [0])


def test_a_slow_watcher_gets_the_newest_and_not_all() -> None:
    async def run() -> None:
        skies = [answer(flight(1, *IN, time_ms=START_MS + number)) for number in range(4)]
        reading = iter(skies)

        async def read() -> object:
            return next(reading)

        snapshots = Snapshots(read)  # type: ignore[arg-type]
        await snapshots._next()
        watching = updates(snapshots, BOX)
        assert (await anext(watching)).reset
        for _ in skies[1:]:
            await snapshots._next()
        update = await anext(watching)
        assert update.snapshot.frame.times.tolist() == [START_MS + 3]
        assert (len(update.move), update.reset) == (1, False)
        await snapshots.drain()
        assert [update async for update in watching] == []

    asyncio.run(run())


def test_those_who_are_told_the_same_share_its_bytes() -> None:
    old, new = snapshot(flight(1, *IN)), snapshot(flight(1, *IN, time_ms=START_MS + 1), time_ms=START_MS + 1000)
    delta = Delta(old.frame, new)
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"text")
        return made[-1]

    for box in (BOX, BOX, None, BOX):
        assert delta.update(box).once("how", make) == b"text"
    assert len(made) == 2


def test_an_empty_sky_fills_and_empties() -> None:
    nothing, something = snapshot(), snapshot(flight(1, *IN), time_ms=START_MS + 1000)
    assert Delta(nothing.frame, something).update(None).enter.tolist() == [0]
    gone = Delta(something.frame, snapshot(time_ms=START_MS + 2000)).update(None)
    assert gone.leave == ids(1)
    assert isinstance(nothing.frame, Frame)
    assert np.array_equal(everything(nothing, None).enter, [])
