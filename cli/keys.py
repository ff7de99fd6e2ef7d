"""`flight keys add|list|revoke`: who may ask more of the edge than an address without a key.

The file holds hashes, never keys: a line `SHA-256 NAME:REQUESTS A SECOND:client|operator:SINCE:REQUESTS A DAY:UNTIL`
(the last two may be empty), a map of HAProxy's. A running edge is told at once; one that starts later reads the file.
"""

import fcntl
import hashlib
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.output import say, say_json, table
from flight_platform.errors import FlightError, SettingsError

if TYPE_CHECKING:
    from flight_platform.edge import Key
    from flight_platform.settings import Settings

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECRET_BYTES: Final = 24  # so many that hashing them once is enough: nobody guesses them
_TELLS_WITHIN_S: Final = 5.0
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: letters, digits, `.`, `_` and `-`.")]


def add(
    name: NameArgument,
    *,
    rate: Annotated[int, typer.Option(help="Requests a second, over ten seconds.", min=1, max=1_000_000)] = 200,
    daily: Annotated[
        int | None,
        typer.Option(help="Requests a day (UTC); as many as its rate allows where not given.", min=1, max=1 << 30),
    ] = None,
    operator: Annotated[bool, typer.Option("--operator", help="It opens Dagster, too.")] = False,
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC) on which it holds; for good where not given."),
    ] = None,
) -> None:
    """Makes a key and shows it, this once."""
    from flight_platform.edge import Key
    from flight_platform.settings import Settings

    settings = Settings.read()
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name of a key: 1 to 64 letters, digits, `.`, `_` and `-`, as `map-of-bern`"
        )
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    role, day = "operator" if operator else "client", f"{datetime.now(UTC):%Y-%m-%d}"
    last = None if expires is None else f"{expires:%Y-%m-%d}"
    if last is not None and last < day:
        raise SettingsError(f"{last} is over: a key holds until a day to come, as --expires 2027-12-31")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = Key(digest=digest, name=name, rate=rate, role=role, since=day, daily=daily, expires=last)
    with _edited(settings) as keys:
        if any(one.name == name for one in keys):
            raise SettingsError(f"{name} has a key already: revoke it first (`flight keys revoke {name}`)")
        keys.append(key)
    told = _tell(settings, f"add map {{map}} {key.digest} {key.value}")
    say(secret)
    say(f"It is not shown again. Send it as `X-API-Key`.{_remark(told=told)}")


def list_keys(*, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Shows who has a key, and how much each allows."""
    from flight_platform.edge import keys_file, read_keys
    from flight_platform.settings import Settings

    keys = read_keys(keys_file(Settings.read()))
    if as_json:
        told = ("name", "rate", "daily", "role", "since", "expires")
        say_json([{name: getattr(key, name) for name in told} for key in keys])
    elif keys:
        rows = [[k.name, k.rate, k.daily or "", k.role, k.since, k.expires or ""] for k in keys]
        say(table(["name", "requests/s", "a day", "role", "since", "until"], rows))
    else:
        say("there are no keys; `flight keys add NAME` makes one")


def revoke(name: NameArgument) -> None:
    """Ends a key, at once."""
    from flight_platform.settings import Settings

    settings = Settings.read()
    with _edited(settings) as keys:
        ended = next((key for key in keys if key.name == name), None)
        if ended is None:
            raise SettingsError(f"{name} has no key; `flight keys list` shows who has")
        keys.remove(ended)
    told = _tell(settings, f"del map {{map}} {ended.digest}")
    say(f"the key of {name} is revoked.{_remark(told=told)}")


def _remark(*, told: bool) -> str:
    return "" if told else " The edge does not run here; it will know when it starts."


@contextmanager
def _edited(settings: "Settings") -> "Iterator[list[Key]]":
    """The keys, to be changed in place; written whole or not at all, one editor at a time."""
    from flight_platform.edge import home, keys_file, read_keys

    home(settings).mkdir(parents=True, exist_ok=True)
    path = keys_file(settings)
    with (home(settings) / "keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = read_keys(path)
        yield keys
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text("".join(f"{key.digest} {key.value}\n" for key in keys))
        os.replace(new, path)


def _tell(settings: "Settings", order: str) -> bool:
    """Gives the running edge an order about its map; False where none runs."""
    from cli.edge import control_socket
    from flight_platform.edge import keys_file

    with socket.socket(socket.AF_UNIX) as edge:
        edge.settimeout(_TELLS_WITHIN_S)
        try:
            edge.connect(str(control_socket(settings)))
        except OSError:
            return False
        edge.sendall(f"{order.format(map=keys_file(settings))}\n".encode())
        answer = edge.recv(4096).decode().strip()
    if answer:
        raise FlightError(f"the file of keys is changed, but the running edge says: {answer}. Restart it")
    return True
