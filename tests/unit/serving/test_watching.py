"""What one who watches a box is told, held to what was there before and after."""

import asyncio
from collections import deque
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flight_platform.model import Kind, Position, make_flight_id
from serving.frame import Frame
from serving.parameters import Box
from serving.selection import Selection, View
from serving.snapshot import Snapshot, Snapshots
from serving.watching import Delta, Update, everything, resumed, updates
from tests.unit.serving.skies import START_MS, answer, flight, snapshot

BOX = Box(0, 40, 10, 50)
IN, OUT = (45.0, 5.0), (45.0, 15.0)

PLACES = st.sampled_from([IN, OUT, (50.0, 10.0), (40.0, 0.0), (39.9, 5.0), (45.0, -175.0), (45.0, 175.0)])
BOXES = st.sampled_from([BOX, Box(170, 40, -170, 50), None])
TOLD = st.fixed_dictionaries(
    {},
    optional={
        "altitude_ft": st.sampled_from([0, 9_000, 35_000]),
        "ground_speed_kt": st.sampled_from([0.0, 99.9, 431.3]),
        "on_ground": st.booleans(),
        "kind": st.sampled_from([Kind.ADSB, Kind.MLAT]),
        "callsign": st.sampled_from(["SWR1", "SWR12", "DLH9"]),
        "source": st.sampled_from(["paris", "oslo"]),
    },
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "on_ground": st.booleans(),
        "min_altitude_ft": st.sampled_from([0, 9_000]),
        "max_altitude_ft": st.sampled_from([9_000, 35_000]),
        "min_ground_speed_kt": st.sampled_from([0, 99.9]),
        "max_ground_speed_kt": st.sampled_from([99.9, 431.3]),
        "kind": st.sampled_from(["adsb", "mlat"]),
        "callsign": st.sampled_from(["SWR1", "swr", "DLH99"]),
        "source": st.sampled_from(["paris", "nobody"]),
        "max_age_s": st.sampled_from([0, 0.5, 1, 60]),
    },
)
VIEWS = st.builds(View, BOXES, st.none() | ASKED.map(Selection.model_validate))
Sky = dict[int, tuple[tuple[float, float], int, dict[str, Any]]]
SKIES = st.dictionaries(
    st.integers(1, 8), st.tuples(PLACES, st.integers(0, 3).map(lambda n: n * 400), TOLD), max_size=8
)


def flights_of(sky: Sky) -> list[Position]:
    return [flight(number, *place, time_ms=START_MS + late, **told) for number, (place, late, told) in sky.items()]


def ids(*numbers: int) -> list[int]:
    return [make_flight_id(number, 1_769_860_000) for number in numbers]


def matches(position: Position, asked: Selection, time_ms: int) -> bool:
    """What the filters mean, one flight and one filter after the other."""

    def between(value: float | None, low: float | None, high: float | None) -> bool:
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    low_ft, high_ft = asked.min_altitude_ft, asked.max_altitude_ft
    low_kt, high_kt = asked.min_ground_speed_kt, asked.max_ground_speed_kt
    return (
        (asked.on_ground is None or position.on_ground is asked.on_ground)
        and (low_ft is high_ft is None or between(position.altitude_ft, low_ft, high_ft))
        and (low_kt is high_kt is None or between(position.ground_speed_kt, low_kt, high_kt))
        and (asked.callsign is None or (position.callsign or "").startswith(asked.callsign))
        and (asked.source is None or position.source == asked.source)
        and (asked.kind is None or position.kind is asked.kind)
        and (asked.max_age_s is None or time_ms - position.time <= asked.max_age_s * 1000)
    )


@given(st.lists(TOLD, max_size=6), ASKED)
def test_a_selection_keeps_what_is_known_to_match(told: list[dict[str, Any]], asked: dict[str, Any]) -> None:
    flights = [flight(number, *IN, time_ms=START_MS + number * 250, **facts) for number, facts in enumerate(told, 1)]
    selection, time_ms = Selection.model_validate(asked), START_MS + 1000
    kept = selection.chosen(flights, Frame.of(flights, time_ms))
    assert kept == [position for position in flights if matches(position, selection, time_ms)]
    assert selection.select or kept == flights


def seen(sky: Snapshot, view: View) -> dict[int, int]:
    """What somebody who sees all of a view knows: the time of each flight in it."""
    inside = view.mask(sky.frame)
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


@given(SKIES, SKIES, VIEWS)
def test_who_follows_the_updates_knows_what_is_there(before: Sky, after: Sky, view: View) -> None:
    # A flight without a newer report is where it was, and as it was.
    after = {n: before[n] if n in before and before[n][1] == told[1] else told for n, told in after.items()}
    old, new = snapshot(*flights_of(before)), snapshot(*flights_of(after), time_ms=START_MS + 1000)
    update = Delta(old.frame, new, ages=view.ages).update(view)
    known, expected = seen(old, view), seen(new, view)
    assert follow(known, update) == expected
    told = new.frame.flight_ids
    assert set(told[update.enter].tolist()) == expected.keys() - known.keys()
    assert set(told[update.move].tolist()) == {f for f in expected.keys() & known.keys() if expected[f] != known[f]}
    assert set(update.leave) == known.keys() - expected.keys()
    assert follow({-1: 0}, everything(new, view)) == expected


def test_one_that_grows_old_leaves_without_any_news_of_it() -> None:
    view = View(None, Selection(max_age_s=1))
    old, new = snapshot(flight(1, *IN)), snapshot(flight(1, *IN), time_ms=START_MS + 1001)

    async def run() -> list[Update]:
        snapshots = kept(old)
        snapshots._latest = old
        watching = updates(snapshots, view)
        first = await anext(watching)
        snapshots._latest = new
        return [first, await anext(watching)]

    first, second = asyncio.run(run())
    assert (first.enter.tolist(), second.enter.tolist(), second.leave) == ([0], [], ids(1))


def kept(*skies: Snapshot) -> Snapshots:
    """Snapshots that have seen these."""
    snapshots = Snapshots(lambda: asyncio.sleep(0, answer()))
    snapshots.frames = deque(sky.frame for sky in skies)
    return snapshots


def test_resuming_from_our_own_update_tells_what_has_changed_since() -> None:
    first = snapshot(flight(1, *IN), flight(2, *IN))
    second = snapshot(flight(1, *IN), flight(2, *OUT, time_ms=START_MS + 900), time_ms=START_MS + 1000)
    last = snapshot(flight(1, *IN), flight(3, *IN), time_ms=START_MS + 2000)
    update = resumed(kept(first, second, last), last, View(BOX), str(START_MS))
    assert (update.reset, last.frame.flight_ids[update.enter].tolist(), update.move.tolist()) == (False, ids(3), [])
    assert update.leave == ids(2)


def test_resuming_from_another_instance_loses_nobody() -> None:
    """It read at other times than we did: a flight may have come and gone between two frames that we compare."""
    first = snapshot(flight(1, *IN))
    passing = snapshot(flight(1, *IN), flight(2, *IN), time_ms=START_MS + 3000)
    last = snapshot(flight(1, *IN, time_ms=START_MS + 3900), time_ms=START_MS + 4000)
    update = resumed(kept(first, passing, last), last, View(BOX), str(START_MS + 3100))
    assert (update.reset, update.leave) == (False, ids(2))
    assert last.frame.flight_ids[update.move].tolist() == ids(1)


def test_what_cannot_be_resumed_begins_anew() -> None:
    sky = snapshot(flight(1, *IN), time_ms=START_MS)
    for last_id in (None, "", "x", "-1", str(START_MS - 60_000), str(START_MS + 1)):
        update = resumed(kept(sky), sky, View(BOX), last_id)
        assert (update.reset, update.enter.tolist()) == (True, [0])


def test_a_slow_watcher_gets_the_newest_and_not_all() -> None:
    async def run() -> None:
        skies = [answer(flight(1, *IN, time_ms=START_MS + number)) for number in range(4)]
        reading = iter(skies)

        async def read() -> object:
            return next(reading)

        snapshots = Snapshots(read)  # type: ignore[arg-type]
        await snapshots._next()
        watching = updates(snapshots, View(BOX))
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
        assert delta.update(View(box)).once("how", make) == b"text"
    assert len(made) == 2


def test_an_empty_sky_fills_and_empties() -> None:
    nothing, something = snapshot(), snapshot(flight(1, *IN), time_ms=START_MS + 1000)
    assert Delta(nothing.frame, something).update(View()).enter.tolist() == [0]
    gone = Delta(something.frame, snapshot(time_ms=START_MS + 2000)).update(View())
    assert gone.leave == ids(1)
    assert isinstance(nothing.frame, Frame)
    assert np.array_equal(everything(nothing, View()).enter, [])
