"""Opens what others publish: plain or gzip, whatever its name says."""

import gzip
from pathlib import Path
from typing import Final, TextIO

from flight_platform.errors import FlightError

_GZIP: Final = b"\x1f\x8b"


class ReferenceFileError(FlightError):
    """A file is none of the reference files that we know: says what is expected."""


def open_text(path: Path) -> TextIO:
    """The text of a file, unpacked where it is packed; raises ReferenceFileError where there is none."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
    except OSError as error:
        raise ReferenceFileError(f"{path} cannot be read: {error.strerror}. Name a file that is there") from error
    # utf-8-sig: some of these files begin with a byte order mark.
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")
