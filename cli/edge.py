"""The edge: what HAProxy is told, and the certificate that it shows where no other is named.

`render` is pure: settings in, text out. What each rule is for stands in `deploy/haproxy/haproxy.cfg` and docs/edge.md;
who may ask how much is the matter of `keys.py`.
"""

import hashlib
import json
import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from cli.programs import ROOT, Instance, instances, live_replicas, port_of, socket_path
from flight_platform.edge import certificate, home, keys_file
from flight_platform.errors import ToolMissingError
from flight_platform.settings import Settings
from serving.problems import MEDIA_TYPE, RETRY_AFTER_S

WINDOW_S: Final = 10  # rates are over so long, so that a moment's haste is no offence; it is what Retry-After says, too
_OPENSKY_WAIT: Final = "X-Rate-Limit-Retry-After-Seconds"  # OpenSky's clients look for it instead of Retry-After
_TEMPLATE: Final = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
_OPENSSL: Final = "openssl"
_VALID_DAYS: Final = 365
_LIVE: Final = Template(r"""
listen live
    bind 127.0.0.1:$port
    mode tcp
    no log
    option tcp-check
    tcp-check send *1\r\n$$4\r\nPING\r\n
    tcp-check expect string PONG
$servers
""")
_RESOLVERS: Final = Template(r"""
resolvers names
    nameserver first $server
    hold valid 5s
""")
_ERRORS: Final = {  # what HAProxy says by itself
    400: "This is no request, or its headers are more than anything here takes",
    403: "This is not allowed",
    405: "This method is not possible",
    408: "The request was not complete in time",
    413: "The request is larger than anything here takes",
    429: "More requests than are allowed; wait, and go on",
    500: "A defect on our side",
    501: "This is not possible here",
    502: "What answers here gave no answer that is one",
    503: "Nothing that answers here runs now; try again",
    504: "The answer took longer than a minute; ask for less",
}
_EVERY_REFUSAL: Final = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
_RETRY_AFTER_S: Final = {429: WINDOW_S, 503: RETRY_AFTER_S}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """Who answers behind the edge. `resolver` is a name server, asked again for hosts that change their address."""

    instances: tuple[Instance, ...]
    dagster_host: str = "127.0.0.1"
    resolver: str | None = None

    @property
    def found_by(self) -> str:
        """What a line of a server says of how its host is found."""
        return "" if self.resolver is None else " resolvers names init-addr libc,none"


def control_socket(settings: Settings) -> Path:
    """Where the running edge takes orders."""
    return socket_path(settings.var.resolve() / "run", "edge")


def configure(settings: Settings, upstreams: Upstreams | None = None) -> Path:
    """Writes all that it reads; the path of its configuration. Without `upstreams` these are those of `flight up`."""
    folder = home(settings)
    folder.mkdir(parents=True, exist_ok=True)
    keys_file(settings).touch(mode=0o600)
    control_socket(settings).parent.mkdir(parents=True, exist_ok=True)
    if settings.edge_tls_port is not None and settings.edge_certificate is None:
        make_certificate(certificate(settings))
    for status, detail in _ERRORS.items():
        file = _error_file(settings, status)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(_error(status, detail))
    path = folder / "haproxy.cfg"
    path.write_text(render(settings, upstreams))
    return path


def make_certificate(path: Path) -> None:
    """A self-signed one for this machine's names, unless one is there that holds for another week."""
    if shutil.which(_OPENSSL) is None:
        raise ToolMissingError(
            "openssl is missing, which makes a certificate for the edge: install it (Debian: apt install openssl), "
            "or name a certificate with FLIGHT_EDGE_CERTIFICATE"
        )
    week = str(7 * 86_400)
    if path.exists() and _openssl("x509", "-in", str(path), "-noout", "-checkend", week).returncode == 0:
        return
    key, shown = path.with_suffix(".key"), path.with_suffix(".crt")
    names = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1"
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(_VALID_DAYS))
    words = (*kind, "-subj", "/CN=localhost", "-addext", names, "-keyout", str(key), "-out", str(shown))
    done = _openssl("req", *words)
    if done.returncode != 0:
        raise ToolMissingError(f"openssl could not make a certificate for the edge: {done.stderr.strip()[-300:]}")
    path.touch(mode=0o600)
    path.write_text(shown.read_text() + key.read_text())
    key.unlink()


def _openssl(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([_OPENSSL, *words], capture_output=True, text=True, check=False)


def render(settings: Settings, upstreams: Upstreams | None = None) -> str:
    """Its configuration."""
    behind = upstreams or Upstreams(instances=tuple(instances(settings)))
    tls = settings.edge_tls_port
    host = settings.edge_host
    real = settings.edge_certificate is not None
    fields = {
        "socket": control_socket(settings),
        "account": _account(),
        "peers": _peers(settings),
        "refusals": _refusals(),
        "errors": "\n".join(f"    errorfile {status} {_error_file(settings, status)}" for status in _ERRORS),
        "keys": keys_file(settings),
        "window_s": WINDOW_S,
        "bind": f"{host}:{settings.edge_port}",
        "bind_tls": f"bind {host}:{tls} ssl crt {certificate(settings)} alpn h2,http/1.1" if tls else "",
        # A key must not cross a network in the clear; on this machine's own addresses nobody listens.
        "secure": ""
        if tls is None
        else f"http-request redirect location https://%[req.hdr(host),field(1,:)]:{tls}%[pathq] code 308 "
        "unless { ssl_fc } || { dst 127.0.0.0/8 ::1 }",
        "hsts": 'http-response set-header strict-transport-security "max-age=31536000" if { ssl_fc }' if real else "",
        "anonymous": settings.edge_rate * WINDOW_S,
        "connections": settings.edge_connections,
        "names": _RESOLVERS.substitute(server=behind.resolver) if behind.resolver else "",
        "dagster": f"{behind.dagster_host}:{settings.dagster_port} no-check{behind.found_by}",
        "bind_metrics": f"{settings.listen_host}:{settings.edge_metrics_port}",
        "live": _replicas(settings),
    }
    return Template(_TEMPLATE.read_text()).substitute(fields | _servers(behind))


def _peers(settings: Settings) -> str:
    """The name of a socket without a file: whoever HAProxy has become may use it, and no other edge has it."""
    return f"flight-edge-{hashlib.sha256(os.fsencode(home(settings))).hexdigest()[:12]}"


def _account() -> str:
    """As root it gives its rights away once it listens, where Debian's package has left an account for it."""
    if os.geteuid() == 0:
        with suppress(KeyError):
            return f"user {pwd.getpwnam('haproxy').pw_name}\n    group haproxy"
    return ""


def _servers(behind: Upstreams) -> dict[str, str]:
    def server(name: str, host: str, port: int, how: str) -> str:
        return f"    server {name} {host}:{port} {how}{behind.found_by}"

    listed = behind.instances
    servers = {
        "active": [server(f"active-{n.number}", n.active_host, n.active_port, "check") for n in listed],
        "history": [server(f"history-{n.number}", n.history_host, n.history_port, "check") for n in listed],
        "grpc": [
            server(f"grpc-{n.number}", n.active_host, n.grpc_port, f"proto h2 track active/active-{n.number}")
            for n in listed
            if n.grpc_port is not None
        ],
        "shared": [
            server(f"shared-{n.number}", n.active_host, n.active_port, f"track active/active-{n.number}")
            for n in listed
        ],
    }
    return {name: "\n".join(lines) for name, lines in servers.items()}


def _replicas(settings: Settings) -> str:
    """A listener for tools of one's own, where every live server holds every flight: then any of them will do.

    Our APIs do not use it: they ask all and take the newest.
    """
    if not live_replicas(settings):
        return ""
    places = [f"{urlsplit(url).hostname}:{port_of(url, 9851)}" for url in settings.tile38_urls]
    servers = "\n".join(f"    server live-{number} {place} check" for number, place in enumerate(places, 1))
    return _LIVE.substitute(port=settings.edge_live_port, servers=servers)


def _problem(status: int, title: str, detail: str, kind: str) -> dict[str, str | int]:
    return {"type": kind, "title": title, "status": status, "detail": detail}


def _error_file(settings: Settings, status: int) -> Path:
    return home(settings) / "errors" / f"{status}.http"


def _error(status: int, detail: str) -> bytes:
    """The bytes of an answer: all that HAProxy has for a request of which it understood nothing."""
    phrase = HTTPStatus(status).phrase
    body = json.dumps(_problem(status, phrase, detail, "about:blank")).encode()
    headers = _EVERY_REFUSAL | {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
    if status in _RETRY_AFTER_S:
        headers["Retry-After"] = str(_RETRY_AFTER_S[status])
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _refusals() -> str:
    """A backend for each reason why not, which tells it as problem details; the template says when."""

    def backend(reason: str, status: int, kind: str, detail: str, *headers: str) -> str:
        title = kind.replace("-", " ").capitalize()
        body = json.dumps(_problem(status, title, detail, "about:blank" if status == 404 else f"/docs#{kind}"))
        every = (*(f"{name} {value}" for name, value in _EVERY_REFUSAL.items()), *headers)
        told = f"status {status} content-type {MEDIA_TYPE} string '{body}' " + " ".join(f"hdr {one}" for one in every)
        return f"backend refused-{reason}\n    http-request return {told}"

    wait, midnight = f"Retry-After {WINDOW_S}", 'Retry-After "%[var(txn.until_midnight_s)]"'
    basic = r"WWW-Authenticate Basic\ realm=\"flight\""
    many, large, key = "too-many-requests", "too-large", "unknown-key"
    faster = f"More requests than are allowed within {WINDOW_S} s; a key allows more"
    over = "The key has had its requests of this day (UTC); the next begins at midnight"
    listed = [
        backend("rate", 429, many, faster, wait, f"{_OPENSKY_WAIT} {WINDOW_S}"),
        backend("day", 429, many, over, midnight),
        backend("connections", 429, many, "More connections at once than one address may have", wait),
        backend("size", 413, large, "The body is larger than anything here takes"),
        backend("length", 411, large, "A body must come with its Content-Length"),
        backend("key", 401, key, "There is no such key, or it was revoked, or has expired"),
        backend("operator", 401, key, "This takes the key of an operator", basic),
        backend("path", 404, "not-found", "There is nothing here"),
    ]
    return "\n".join(listed)
