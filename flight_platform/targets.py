"""Where the Prometheus of `flight up` finds a process that `flight up` does not know: one that was started by hand.

Each leaves a file in var/prometheus/targets, which Prometheus watches; where `flight up` has made no such folder nobody
looks. Who ends takes its file away. That of one that was killed is missed as it should be (ProcessDown), until the next
one starts.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from flight_platform.names import Stage
from flight_platform.settings import Settings

log = structlog.get_logger()

_ANY_FREE: Final = 0
_LOOPBACK: Final = "127.0.0.1"
_EVERY_HOST: Final = frozenset({"0.0.0.0", "::", "localhost"})  # noqa: S104  # who listens there listens on the loopback


def folder_of(settings: Settings) -> Path:
    """Where the files are."""
    return settings.var / "prometheus" / "targets"


def metrics_port(settings: Settings) -> int | None:
    """The port for this process's metrics: where the settings name none, any free one if somebody looks, else none."""
    if settings.metrics_port is None and folder_of(settings).is_dir():
        return _ANY_FREE
    return settings.metrics_port


@contextmanager
def announced(settings: Settings, stage: Stage, port: int | None) -> Iterator[None]:
    """Tells Prometheus while the body runs. What cannot be written keeps no process from its work."""
    folder = folder_of(settings)
    file = folder / f"{os.getpid()}.json"
    host = _LOOPBACK if settings.listen_host in _EVERY_HOST else settings.listen_host
    address = f"{host}:{port}"
    if port is None or not folder.is_dir() or address in _known(folder.parent / "targets.json"):
        yield
        return
    labels = {"process": settings.instance, "hop": str(stage)}
    try:
        drop_stale(folder)
        new = file.with_suffix(".new")
        new.write_text(json.dumps([{"targets": [address], "labels": labels}]))
        new.replace(file)
    except OSError as error:
        log.warning("not_announced_to_prometheus", problem=str(error))
    yield
    file.unlink(missing_ok=True)  # not after a failure: then somebody should miss it


def drop_stale(folder: Path) -> None:
    """Removes the files of processes that are no more."""
    for file in folder.glob("*.json"):
        if not Path("/proc", file.stem).exists():
            file.unlink(missing_ok=True)


def _known(file: Path) -> set[str]:
    """The addresses that `flight up` has written down itself."""
    try:
        return {address for group in json.loads(file.read_text()) for address in group["targets"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
