"""Python's collector of cycles, told how often to look: seldom, in processes that make much and keep little of it.

By its usual thresholds it looks through what a batch has made before the batch is done, and finds nothing there:
a record, a row and a line of an answer hold no cycle, and go when the last name for them goes. In the tracker that was
a fifth of all processor time, and in a reader of the whole sky (200,000 objects) as much as the reading.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Container objects beyond those that went, before it looks at the newest; a twentieth of the looks go deeper.
_NEWEST: Final = 100_000
_DEEPER: Final = 20


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Around the work of a process: what is there at its begin stays and is not looked through."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_NEWEST, _DEEPER, _DEEPER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
