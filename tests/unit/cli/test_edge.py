"""What HAProxy is told: HAProxy itself says whether it makes sense."""

import json
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.edge import configure, make_certificate, render
from cli.programs import haproxy
from flight_platform.edge import certificate
from flight_platform.settings import Settings
from serving.problems import KINDS

needs_haproxy = pytest.mark.skipif(
    haproxy() is None or shutil.which("openssl") is None,
    reason="needs haproxy and openssl (Debian: apt install haproxy openssl)",
)
REPLICAS = {"tile38_urls": "redis://u:geheim@10.0.0.1:9851,redis://10.0.0.2:9851", "tile38_copies": 2}


@needs_haproxy
@pytest.mark.parametrize(
    "chosen",
    [{}, {"edge_tls_port": None}, {"grpc_port": None}, {"edge_certificate": Path("own.pem")}, REPLICAS],
    ids=["default", "no TLS", "no gRPC", "own certificate", "replicas"],
)
def test_haproxy_takes_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, Any]) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.read(var=tmp_path, **chosen)
    if settings.edge_certificate is not None:
        make_certificate(settings.edge_certificate)
    path = configure(settings)
    checked = subprocess.run([haproxy() or "", "-c", "-f", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_every_kind_of_refusal_is_explained(tmp_path: Path) -> None:
    told = set(re.findall(r"/docs#([a-z-]+)", render(Settings.read(var=tmp_path))))
    assert told == {"too-many-requests", "too-large", "unknown-key"}
    assert told <= KINDS.keys()


@needs_haproxy
def test_what_haproxy_says_by_itself_is_a_problem(tmp_path: Path) -> None:
    files = dict(re.findall(r"errorfile (\d+) (\S+)", configure(Settings.read(var=tmp_path)).read_text()))
    assert files.keys() >= {"400", "408", "413", "429", "502", "503", "504"}
    for status, path in files.items():
        head, _, body = Path(path).read_bytes().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %b " % status.encode())
        assert b"Content-Length: %d" % len(body) in head
        assert json.loads(body)["status"] == int(status)


@needs_haproxy
def test_a_certificate_is_made_once_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    settings = Settings.read(var=tmp_path)
    configure(settings)
    path = certificate(settings)
    made = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    make_certificate(path)
    assert path.read_bytes() == made
    path.write_text("nonsense")
    make_certificate(path)
    assert path.read_bytes() not in {made, b"nonsense"}


def test_live_servers_are_balanced_only_where_each_has_all(tmp_path: Path) -> None:
    balanced = render(Settings.read(var=tmp_path, **REPLICAS))
    assert "server live-2 10.0.0.2:9851 check" in balanced
    assert "geheim" not in balanced
    apart = render(Settings.read(var=tmp_path, **REPLICAS | {"tile38_copies": 1}))
    assert "listen live" not in apart


def test_a_certificate_of_ones_own_is_believed_for_a_year(tmp_path: Path) -> None:
    own = render(Settings.read(var=tmp_path, edge_certificate=Path("/etc/flight/edge.pem")))
    assert "crt /etc/flight/edge.pem" in own
    assert "strict-transport-security" in own
    assert "strict-transport-security" not in render(Settings.read(var=tmp_path))
