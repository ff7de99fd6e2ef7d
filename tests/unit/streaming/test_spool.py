"""The feed's disk: order, what a restart finds, what a torn end and a full disk cost."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flight_platform.errors import SettingsError
from streaming.spool import Frame, Place, Spool, open_spool

BOUND = 1_000_000
Open = Callable[..., Spool]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens a spool in the test's folder, and closes it in the end."""
    with ExitStack() as stack:
        yield lambda bound=BOUND: stack.enter_context(Spool(tmp_path, bound))


def frame(number: int, size: int = 100, records: int = 10) -> Frame:
    return Frame(str(number).encode().ljust(size, b"."), records, number)


def give_all(spool: Spool) -> list[tuple[Place, Frame]]:
    given = []
    while (found := spool.next()) is not None:
        given.append(found)
    return given


def numbers(spool: Spool) -> list[int]:
    return [found.newest_ms for _, found in give_all(spool)]


def fill(folder: Path, count: int, bound: int = BOUND) -> None:
    """A run that ends in good order with that many frames."""
    with Spool(folder, bound) as spool:
        for number in range(count):
            assert spool.append(frame(number)) == 0


def test_gives_in_order_while_it_takes(tmp_path: Path, opened: Open) -> None:
    spool = opened(64_000)  # files of 4,000 bytes: some thirty frames each
    seen = []
    for number in range(300):
        spool.append(frame(number))
        if number % 3:
            place, found = spool.next() or pytest.fail("nothing to give")
            assert found == frame(found.newest_ms)
            seen.append(found.newest_ms)
            spool.done(place)
    assert spool.waiting == 10 * (300 - len(seen))
    assert seen + numbers(spool) == list(range(300))
    assert spool.waiting == 0


def test_files_go_when_they_are_done(tmp_path: Path, opened: Open) -> None:
    spool = opened(64_000)
    for number in range(200):
        spool.append(frame(number))
    assert len(list(tmp_path.glob("*.spool"))) > 5
    for place, _ in give_all(spool):
        spool.done(place)
    assert list(tmp_path.glob("*.spool")) == []
    assert spool.size_bytes == 0
    spool.append(frame(200))
    assert numbers(spool) == [200]


def test_what_is_not_done_is_given_again(tmp_path: Path, opened: Open) -> None:
    spool = opened(64_000)
    for number in range(100):
        spool.append(frame(number))
    given = give_all(spool)
    spool.done(given[41][0])
    spool.rewind()
    assert spool.waiting == 10 * 58
    assert numbers(spool) == list(range(42, 100))


def test_the_next_run_goes_on_where_the_last_was(tmp_path: Path, opened: Open) -> None:
    fill(tmp_path, 100, 64_000)
    spool = opened(64_000)
    assert spool.waiting == 1000
    spool.done(give_all(spool)[59][0])
    spool.append(frame(100))
    spool.close()
    assert numbers(opened(64_000)) == list(range(60, 101))


@pytest.mark.parametrize("cut", [1, 50, 108, 115])
def test_a_torn_end_is_cut_off(tmp_path: Path, cut: int, opened: Open) -> None:
    fill(tmp_path, 10)
    (file,) = tmp_path.glob("*.spool")
    os.truncate(file, file.stat().st_size - cut)
    spool = opened()
    spool.append(frame(10))
    assert numbers(spool) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert spool.waiting == 0


def test_an_end_of_nonsense_is_cut_off(tmp_path: Path, opened: Open) -> None:
    fill(tmp_path, 3)
    (file,) = tmp_path.glob("*.spool")
    with file.open("rb+") as damaged:
        damaged.seek(-1, os.SEEK_END)
        damaged.write(b"!")
        damaged.write(os.urandom(500))
    assert numbers(opened()) == [0, 1]


def test_a_cursor_that_was_lost_costs_repeats_and_no_record(tmp_path: Path, opened: Open) -> None:
    fill(tmp_path, 5)
    (tmp_path / "cursor").write_text("nonsense")
    assert numbers(opened()) == [0, 1, 2, 3, 4]


def test_the_oldest_go_where_the_bound_is_reached(tmp_path: Path, opened: Open) -> None:
    spool = opened(64_000)
    dropped = sum(spool.append(frame(number)) for number in range(1000))
    assert spool.size_bytes <= 64_000
    assert sum(file.stat().st_size for file in tmp_path.glob("*.spool")) == spool.size_bytes
    left = numbers(spool)
    assert left == list(range(left[0], 1000)), "one stretch up to the present"
    assert dropped == 10 * left[0]
    assert len(left) > 450, "no more goes than one file of sixteen"


def test_what_was_given_already_is_not_counted_as_lost(tmp_path: Path, opened: Open) -> None:
    spool = opened(64_000)
    for number in range(100):
        spool.append(frame(number))
    give_all(spool)
    assert sum(spool.append(frame(number)) for number in range(100, 600)) == 0
    assert numbers(spool)[0] == 100


def test_a_frame_that_outlives_its_writer_is_whole(tmp_path: Path, opened: Open) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from streaming.spool import *\n"
        "spool = Spool(Path(sys.argv[1]), 1_000_000)\n"
        "for number in range(50): spool.append(Frame(b'x' * 1000, 7, number))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    spool = opened()
    assert spool.waiting == 350
    assert numbers(spool) == list(range(50))


def test_a_disk_that_takes_no_more_costs_the_oldest(tmp_path: Path, opened: Open) -> None:
    """A limit on the size of files stands in for the full disk: it, too, takes a part of a frame."""
    spool = opened(64_000)
    for number in range(40):
        spool.append(frame(number))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, old[1]))
    try:
        lost = sum(spool.append(frame(number)) for number in range(40, 60))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    left = numbers(spool)
    assert lost == 10 * left[0] > 0
    assert left == list(range(left[0], 60))


def test_two_feeds_of_one_source_hold_apart(tmp_path: Path) -> None:
    with open_spool(tmp_path, "paris", BOUND) as first, open_spool(tmp_path, "paris", BOUND) as second:
        first.append(frame(1))
        second.append(frame(2))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["paris", "paris-2"]
        first.close()
        with open_spool(tmp_path, "paris", BOUND) as third:
            assert numbers(third) == [1]


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "paris").write_text("a file")
    with pytest.raises(SettingsError, match="FLIGHT_VAR"):
        open_spool(tmp_path, "paris", BOUND)
