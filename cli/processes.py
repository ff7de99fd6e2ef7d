"""What the kernel tells of a process (Linux)."""

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


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _proportional_bytes(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None
