"""The sources: which kinds there are, and how one is opened. Adding a source is a file beside this one and a line in
SOURCES.

    open_source("readsb", settings, url=...) ──► Source ──► its batches go to the feed

Formats (objects in, reports out, no I/O) are in `*_format.py`, `tables.py` and `reports.py`; connections and files in
the modules named for the kinds; the contract is in `base.py`.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flight_platform.errors import SettingsError
from flight_platform.model import SOURCE_NAME
from flight_platform.settings import Settings
from streaming.sources import beast, kinds, opensky, readsb, replay, sbs
from streaming.sources.base import Batch, Source, polled, record_format

SOURCES: Final[dict[str, kinds.SourceKind]] = {
    "opensky": opensky.KIND,
    "readsb": readsb.KIND,
    "sbs": sbs.KIND,
    "beast": beast.KIND,
    "replay": replay.KIND,
}

_OPTION_EXAMPLES: Final = {
    "bbox": "5.9,45.8,10.5,47.8",
    "interval": "5",
    "timezone": "Asia/Tokyo",
    "start": "2018-04-03T19:02:28.136Z",
    "reference": "59.8,30.3",
    "clock": "gps",
    "speed": "1",
    "rebase": "now",
    "shift": "-3600",
    "loop": "",
    "token_url": opensky.TOKEN_URL,
}


def open_source(
    kind: str,
    settings: Settings,
    *,
    name: str | None = None,
    url: str | None = None,
    file: Path | None = None,
    **options: Any,
) -> Source:
    """The source of a kind; raises SettingsError with the option, what is wrong with it and an example.

    Options are those of the command line; one that is None counts as not given. `limit` goes with every kind.
    """
    known = SOURCES.get(kind)
    if known is None:
        raise SettingsError(
            f"there is no source {kind!r}: known are {', '.join(SOURCES)}. Example: {readsb.KIND.example}"
        )
    if name is not None and not SOURCE_NAME.fullmatch(name):
        raise SettingsError(
            f"--name is {name!r}: up to 32 small letters, digits, - and _ are expected. Example: --name {kind}-1"
        )
    limit = kinds.whole_number(options.pop("limit", None), "limit", "1000")
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        _check_option(kind, known, option)
    _check_place(kind, known, url, file)
    request = kinds.Request(
        settings=settings,
        name=name or kind,
        named=name is not None,
        url=url or (known.default_url if file is None else None),
        file=file,
        options=given,
    )
    source = known.open(request)
    return source if limit is None else Limited(source, limit)


def _check_option(kind: str, known: kinds.SourceKind, option: str) -> None:
    if option in known.options:
        return
    others = [name for name, other in SOURCES.items() if option in other.options]
    takers = f"; it is for {', '.join(others)}" if others else ""
    instead = [f"--{own} {_OPTION_EXAMPLES.get(own, '')}".strip() for own in sorted(known.options)]
    raise SettingsError(f"--{option} means nothing to {kind}{takers}. {kind} knows {', '.join(instead)}")


def _check_place(kind: str, known: kinds.SourceKind, url: str | None, file: Path | None) -> None:
    examples = [
        f"--{option} {example}"
        for option, example in (("url", known.url_example), ("file", known.file_example))
        if example is not None
    ]
    example = f"Example: flight feed {kind} {examples[0]}"
    if url is not None and file is not None:
        raise SettingsError(f"--url and --file were both given: {kind} reads from one place. {example}")
    if url is not None and known.url_example is None:
        raise SettingsError(f"--url means nothing to {kind}: it reads a file. {example}")
    if file is not None and known.file_example is None:
        raise SettingsError(f"--file means nothing to {kind}: it asks a server. {example}")
    if url is None and file is None and known.default_url is None:
        needed = " or ".join(option.split()[0] for option in examples)
        raise SettingsError(f"{needed} is missing: {kind} needs to know where to read. {example}")


class Limited:
    """A source that ends after so many reports."""

    def __init__(self, source: Source, limit: int) -> None:
        self.name, self.repeatable = source.name, source.repeatable
        self.record_format, self.polled = record_format(source), polled(source)
        self._source, self._limit = source, limit

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The source's batches, the last one cut to the limit."""
        left = self._limit
        for batch in self._source.batches(stop):
            cut = Batch(
                positions=batch.positions[:left],
                originals=batch.originals[:left],
                refused=batch.refused,
                clock_ms=batch.clock_ms,
            )
            left -= len(cut.positions)
            yield cut
            if left <= 0:
                return


def describe() -> list[dict[str, Any]]:
    """The facts of each kind, for help texts and documentation."""
    return [
        {
            "kind": name,
            "summary": kind.summary,
            "brings": kind.brings,
            "rate": kind.rate,
            "licence": kind.licence,
            "options": sorted(kind.options | {"limit"}),
            "url": kind.url_example,
            "file": kind.file_example,
            "example": kind.example,
        }
        for name, kind in SOURCES.items()
    ]
