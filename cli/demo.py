"""The demonstration's recordings: where they come from, what they are, and that they are what they should be.

    traffic 2.13 (a wheel from the package registry, without its dependencies) ──► var/downloads/*.json.gz

They are OpenSky Network data: fetched by whoever runs the demonstration, never part of this project.
"""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from flight_platform.errors import FlightError

ATTRIBUTION: Final = (
    "recordings of the OpenSky Network (opensky-network.org), from the package `traffic`; for research and teaching;",
    "who publishes with them cites Schäfer et al., Bringing Up OpenSky, IPSN 2014",
)
_PACKAGE: Final = "traffic==2.13"
_COLLECTIONS: Final = "traffic/data/samples/collections/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording in the package."""

    name: str  # of the feed that plays it
    file: str
    sha256: str
    reports: int
    recorded_on: date
    about: str


PAST: Final = Recording(
    name="switzerland",
    file="switzerland.json.gz",
    sha256="ff5be108224b2a96892a697faf2a7492bf530e64d145d9675eb927c4ed97d4c3",
    reports=139_098,
    recorded_on=date(2018, 8, 1),
    about="17 hours above Switzerland, 842 aircraft",
)
PRESENT: Final = Recording(
    name="paris",
    file="quickstart.json.gz",
    sha256="0ef1a97f6b96c31a58e2d9cf58af01a90016eb97472f37718dcba3913c682403",
    reports=284_505,
    recorded_on=date(2021, 10, 7),
    about="3 hours around Paris, 213 aircraft",
)


class RecordingError(FlightError):
    """A recording could not be had, or is not what it should be."""


def fetch(folder: Path) -> dict[str, Path]:
    """The recordings by name, in `folder`; downloads what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {recording.name: folder / recording.file for recording in (PAST, PRESENT)}
    if all(is_intact(paths[recording.name], recording) for recording in (PAST, PRESENT)):
        return paths
    wheel = _download(folder)
    with zipfile.ZipFile(wheel) as archive:
        for recording in (PAST, PRESENT):
            _extract(archive, recording, paths[recording.name])
    return paths


def is_intact(path: Path, recording: Recording) -> bool:
    """Whether a file is that recording, to the last bit."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == recording.sha256


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise RecordingError(
            f"the recordings could not be downloaded ({said}). Check that `pip download {_PACKAGE}` works here, "
            "or run the platform without the demonstration: `flight up`"
        )
    return next(iter(folder.glob("traffic-*.whl")))


def _extract(archive: zipfile.ZipFile, recording: Recording, path: Path) -> None:
    try:
        content = archive.read(_COLLECTIONS + recording.file)
    except KeyError:
        raise RecordingError(f"{_PACKAGE} does not hold {recording.file}") from None
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    if not is_intact(partial, recording):
        partial.unlink()
        raise RecordingError(f"{recording.file} is not the recording that was expected (its hash differs)")
    partial.rename(path)
