"""The newest time of each source in a batch, and marks that never go back."""

import numpy as np

from flight_platform.watermarks import MOST, advance, newest_by_source


def test_each_source_has_its_newest_time_and_one_without_a_name_has_none() -> None:
    sources = np.array([b"paris", b"", b"bern", b"paris", b"bern"], dtype="S32")
    assert newest_by_source(sources, np.array([5, 99, 7, 9, 3])) == {"paris": 9, "bern": 7}
    assert newest_by_source(sources[:0], np.array([])) == {}


def test_marks_never_go_back() -> None:
    marks = {"paris": 5}
    advance(marks, {"paris": 3, "bern": 1})
    advance(marks, {"paris": 6})
    assert marks == {"paris": 6, "bern": 1}


def test_made_up_names_do_not_grow_without_bound() -> None:
    names = np.array([f"source-{n}" for n in range(3 * MOST)], dtype="S32")
    newest = newest_by_source(names, np.arange(3 * MOST))
    assert len(newest) == MOST + 1
    marks = {"paris": 1}
    advance(marks, newest)
    assert len(marks) == MOST
    advance(marks, {"paris": 2})
    assert marks["paris"] == 2
