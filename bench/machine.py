"""What a run's numbers belong to: the machine, its load, the versions; and the lines that tell how far a run is."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import confluent_kafka

from flight_platform.embedded import maven
from flight_platform.embedded.tile38 import PROGRAM

_BEGAN = time.monotonic()
_LIBRARIES = ("confluent-kafka", "hiredis", "numpy", "protobuf", "psycopg", "ptars", "pyarrow", "redis", "uvloop")


def say(what: str) -> None:
    """A line of progress on standard error."""
    sys.stderr.write(f"[{time.monotonic() - _BEGAN:5.1f} s] {what}\n")
    sys.stderr.flush()


def load_average() -> list[float]:
    """Processes that wanted a core in the last 1, 5 and 15 minutes: others' work is in it too."""
    return [round(value, 2) for value in os.getloadavg()]


def facts() -> dict[str, Any]:
    """The machine and the versions."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first(Path("/proc/cpuinfo"), "model name"),
        "memory": _first(Path("/proc/meminfo"), "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "librdkafka": confluent_kafka.libversion()[0],
        "kafka": _jar("kafka_2.13-"),
        "postgres": _jar("embedded-postgres-binaries-"),
        "tile38": _tile38(),
        "commit": _said("git", "rev-parse", "--short", "HEAD"),
    }


def _first(path: Path, name: str) -> str | None:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None


def _jar(name: str) -> str | None:
    jars = sorted(maven.libraries().glob(f"{name}*.jar"))
    return jars[0].stem.removeprefix(name) if jars else None


def _tile38() -> str | None:
    return _said(PROGRAM, "--version") if shutil.which(PROGRAM) else None


def _said(*words: str) -> str | None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False, cwd=maven.CHECKOUT)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines and not done.returncode else None
