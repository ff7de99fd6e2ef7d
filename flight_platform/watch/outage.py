"""What the processes of one machine see while Postgres is away, in files below var/outage/PLATFORM.

    beats/*.json      the newest word of each process, as its heartbeat would write it; gone when Postgres takes it
    state.json        what the last look has left for the next one, whichever process takes that
    events.jsonl      what has opened and what is over, in order: told Postgres when it is back

One process looks at a time (a lock that its end releases). Nothing here judges: that is the matter of `alone.py`.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from flight_platform.settings import Settings
from flight_platform.watch.alerts import Alert, Event
from flight_platform.watch.freshness import Beat, Memory

_MOMENTS: Final = frozenset({"started_at", "beat_at", "watermark", "source_clock", "since", "last_good", "at"})
_OBJECTS: Final = frozenset({"watermarks", "counters", "concerns"})  # JSON in the row of a heartbeat


@dataclass(slots=True, kw_only=True)
class State:
    """What one look leaves for the next: since when there are looks without Postgres, and what is open.

    `processes`: how many of each hop there were when Postgres was last asked.
    """

    began_at: float  # Unix seconds
    memory: Memory | None
    processes: dict[str, int] = field(default_factory=dict)
    open_names: list[str] = field(default_factory=list)


def folder_of(settings: Settings) -> Path:
    """The folder of a platform: it is known by its Postgres and its topics, so that two that share `var` do not mix."""
    postgres = urlsplit(settings.postgres_url.get_secret_value())
    where = postgres.netloc.rpartition("@")[2] + postgres.path
    platform = (where, settings.kafka_bootstrap, settings.kafka_topic_prefix)
    return settings.var / "outage" / hashlib.sha256(repr(platform).encode()).hexdigest()[:12]


class Outage:
    """The files. Raises OSError where the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._beats, self._state = self._folder / "beats", self._folder / "state.json"
        self._events = self._folder / "events.jsonl"

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else is about it, nor can be until the body ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def write_beat(self, row: Mapping[str, Any], at: datetime) -> None:
        """A process's own word: the row of its heartbeat."""
        self._beats.mkdir(parents=True, exist_ok=True)
        _replace(self._path(row), _text({**row, "beat_at": at}))

    def remove_beat(self, row: Mapping[str, Any]) -> None:
        """It ended on purpose, or Postgres takes its word again."""
        self._path(row).unlink(missing_ok=True)

    def beats(self, since: float) -> list[Beat]:
        """The words of all, dead ones included, unless they died before this outage."""
        found = [Beat(**data) for path in sorted(self._beats.glob("*.json")) if (data := _beat(path))]
        return [beat for beat in found if beat.beat_at.timestamp() >= since]

    def state(self) -> State | None:
        """What the last look has left; None where there was none, or one of another version."""
        data = _read(self._state)
        if data is None:
            return None
        try:
            return State(**data | {"memory": Memory.from_json(data["memory"])})
        except (KeyError, TypeError):
            return None

    def write_state(self, state: State) -> None:
        """For the next look."""
        left = {"began_at": state.began_at, "processes": state.processes, "open_names": state.open_names}
        _replace(self._state, _text(left | {"memory": state.memory and state.memory.to_json()}))

    def write_events(self, events: Sequence[Event]) -> None:
        """Behind those that are there."""
        with self._events.open("a") as file:
            file.writelines(_text(asdict(event)) + "\n" for event in events)

    def events(self) -> list[Event]:
        """What waits for Postgres, oldest first; a last line that was cut by a crash is none."""
        try:
            lines = self._events.read_text().splitlines()
        except FileNotFoundError:
            return []
        return [event for line in lines if (event := _event(line)) is not None]

    @property
    def is_on(self) -> bool:
        """Whether there is anything of an outage that Postgres does not know."""
        return self._state.exists()

    def set_aside(self) -> None:
        """Keeps what Postgres refuses for somebody to read, out of the way of what comes."""
        self._events.replace(self._events.with_suffix(".refused"))

    def end(self) -> None:
        """Postgres knows it all."""
        for path in (*self._beats.glob("*.json"), self._events, self._state):
            path.unlink(missing_ok=True)

    def _path(self, row: Mapping[str, Any]) -> Path:
        name = "-".join(quote(str(row[part]), safe="") for part in ("stage", "instance", "source"))
        return self._beats / f"{name}.json"


def _beat(path: Path) -> dict[str, Any] | None:
    data = _read(path)
    if data is None:
        return None
    data |= {name: json.loads(data[name]) for name in _OBJECTS}
    return {name: value for name, value in _moments(data).items() if name in Beat.__dataclass_fields__}


def _event(line: str) -> Event | None:
    data = _decoded(line)
    if data is None:
        return None
    try:
        alert = data["alert"]
        return Event(**_moments(data) | {"alert": alert and Alert(**_moments(alert))})
    except (KeyError, TypeError):
        return None


def _moments(data: dict[str, Any]) -> dict[str, Any]:
    moments = {name: datetime.fromisoformat(data[name]) for name in _MOMENTS & data.keys() if data[name] is not None}
    return data | moments


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, default=datetime.isoformat)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return _decoded(path.read_text())
    except FileNotFoundError:
        return None


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _replace(path: Path, text: str) -> None:
    """All of it or nothing, whoever reads meanwhile."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
