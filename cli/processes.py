"""What the kernel tells of a process (Linux)."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


def resident_bytes(pid: int | None) -> int | None:
    """Memory of a process and all its children; None where it is gone or not ours to look at.

    Proportional set size: pages shared by several processes (Postgres' buffers, libraries) count once, not for each.
    """
    if pid is None:
        return None
    sizes = [_proportional_bytes(member) for member in (pid, *descendants(pid))]
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes[0] is not None else None


def descendants(pid: int) -> list[int]:
    """The children of a process and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text().split()]
        except OSError:  # it ended meanwhile
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that is told from a later one with the same number by when it began."""

    pid: int
    began: int  # clock ticks since the machine's start

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process of that number; None where there is none."""
        fields = _stat(pid)
        return None if fields is None else cls(pid, int(fields[19]))

    def runs(self) -> bool:
        """Whether it is there still."""
        return Identity.of(self.pid) == self and alive(self.pid)

    def kill(self) -> None:
        """Ends it at once, if it is there."""
        if self.runs():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    fields = _stat(pid)
    return fields is not None and fields[0] != "Z"


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third on (the second, the name, may hold anything)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _proportional_bytes(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None
