"""The collector that looks seldom."""

import gc
import weakref

from flight_platform.collector import collecting_seldom


class Node:
    """Something that a name outside of itself need not hold."""

    itself: "Node"


def test_the_collector_looks_seldom_while_a_process_works_and_cycles_still_go() -> None:
    usual = gc.get_threshold()
    with collecting_seldom():
        assert gc.isenabled()
        assert gc.get_freeze_count() > 1_000
        node = Node()
        node.itself = node
        gone = weakref.ref(node)
        del node
        kept: list[list[int]] = [[] for _ in range(usual[0] * 10)]
        assert gone() is not None
        kept += [[] for _ in range(150_000)]
        assert gone() is None
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, 0)
