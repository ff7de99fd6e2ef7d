"""What waits to be written down is bounded, and no loss is forgotten, whatever happens in which order."""

from hypothesis import given
from hypothesis import strategies as st

from flight_platform.watch.holes import Hole, Holes

# What a stretch lasts and what passes before it, ms; or the oldest is taken to write it, or what was taken is written.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 1000), st.integers(0, 1000)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
        st.tuples(st.just("remove"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(steps=STEPS, most=st.integers(1, 5))
def test_what_is_left_out_is_written_or_waits_and_few_wait(steps: list[tuple[str, int, int]], most: int) -> None:
    holes, left_out, written = Holes(most), list[Hole](), list[Hole]()
    taken: Hole | None = None
    end_ms = 0
    for step, lasts_ms, before_ms in steps:
        if step == "add":
            left_out.append(Hole(end_ms + before_ms, end_ms + before_ms + lasts_ms))
            end_ms = left_out[-1].to_ms
            holes.add(left_out[-1].from_ms, end_ms)
        elif step == "take":  # by the thread that writes; others may come before it has written
            taken = holes.first()
        elif taken is not None:
            written.append(taken)
            holes.remove(taken)
            taken = None
        assert len(holes) <= most
    waiting = list[Hole]()
    while (hole := holes.first()) is not None:
        waiting.append(hole)
        holes.remove(hole)
    assert waiting == sorted(waiting)
    for lost in left_out:
        assert any(hole.from_ms <= lost.from_ms and lost.to_ms <= hole.to_ms for hole in written + waiting)
    for hole in waiting:  # no wider than it has to be, and it tells how many it is made of
        inside = [lost for lost in left_out if hole.from_ms <= lost.from_ms and lost.to_ms <= hole.to_ms]
        assert (inside[0].from_ms, inside[-1].to_ms, len(inside)) == (hole.from_ms, hole.to_ms, hole.stretches)


def test_the_two_that_lie_nearest_become_one_which_says_that_it_is_an_upper_bound() -> None:
    holes = Holes(2)
    for begins, ends in ((0, 10), (100, 110), (115, 120)):
        holes.add(begins, ends)
    first = holes.first()
    assert first == Hole(0, 10)
    holes.remove(first)
    merged = holes.first()
    assert merged == Hole(100, 120, 2)
    assert "upper bound" in merged.reason
    assert "upper bound" not in first.reason
