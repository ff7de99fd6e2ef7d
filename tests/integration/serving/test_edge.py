"""The edge as it runs: a real HAProxy, two real active APIs, and an echo in the place of history and of Dagster."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import redis
from typer.testing import CliRunner
from websockets.sync.client import connect

from cli.edge import WINDOW_S, configure, control_socket
from cli.main import app
from cli.programs import haproxy, instances
from flight_platform.edge import certificate, keys_file, read_keys
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.kafka import now_ms
from flight_platform.settings import Settings
from flight_platform.testing import wait_until
from protos.flight.v1 import api_pb2
from tests.integration.serving.filling import filled, position
from tests.integration.serving.processes import Reader, reader

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        haproxy() is None or shutil.which("openssl") is None,
        reason="needs haproxy and openssl (Debian: apt install haproxy openssl)",
    ),
    pytest.mark.alone,
]

WITHIN_S = 30
ANONYMOUS_RATE = 30
TILE = "/v1/live/tiles/0/0/0.json"


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests ask often."""


class EchoServer(ThreadingHTTPServer):
    """Health checks read the first line of an answer and leave."""

    def handle_error(self, *_: object) -> None:
        """Nothing: whoever is left without an answer says so."""


@contextmanager
def echo(port: int) -> Iterator[None]:
    with EchoServer(("127.0.0.1", port), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def free_ports() -> tuple[int, int]:
    """A free port, and the one of the second instance."""
    while True:
        first = free_port()
        second = first + 10
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", second))
            except (OSError, OverflowError):
                continue
        return first, second


@dataclass(frozen=True)
class Edge:
    """A running edge, and what is behind it."""

    settings: Settings
    client: httpx.Client  # with a key: as fast as it likes
    key: str
    start: Callable[[int], Reader]
    reload: Callable[[], None]
    actives: dict[int, Reader] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.edge_port}"

    def stop(self, number: int, how: signal.Signals) -> None:
        """Ends an instance."""
        self.actives.pop(number).stop(how)

    def restore(self) -> None:
        """Both instances run, and the edge knows."""
        for one in instances(self.settings):
            if one.number not in self.actives:
                self.actives[one.number] = self.start(one.number)
        wait_until(lambda: self.up() == 2, WITHIN_S, "both instances to be known as up")

    def up(self) -> int:
        text = httpx.get(f"http://127.0.0.1:{self.settings.edge_metrics_port}/metrics").text
        return text.count('haproxy_server_status{proxy="active",server="active-1",state="UP"} 1') + text.count(
            'haproxy_server_status{proxy="active",server="active-2",state="UP"} 1'
        )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("edge")
    (active, _), (history, _), (rpc, _) = free_ports(), free_ports(), free_ports()
    with (
        EmbeddedLive(folder / "live-1", free_port(), "stand-in") as live,
        EmbeddedLive(folder / "live-2", free_port(), "stand-in") as other,
    ):
        yield Settings.read(
            var=folder,
            tile38_urls=f"{live.url},{other.url}",
            tile38_copies=2,
            active_port=active,
            history_port=history,
            grpc_port=rpc,
            dagster_port=free_port(),
            edge_port=free_port(),
            edge_tls_port=free_port(),
            edge_metrics_port=free_port(),
            edge_live_port=free_port(),
            edge_rate=ANONYMOUS_RATE,
        )


def keys(settings: Settings, *words: str) -> str:
    """What `flight keys` says."""
    result = CliRunner().invoke(app, ["keys", *words], env={"FLIGHT_VAR": str(settings.var)})
    assert result.exit_code == 0, result.output
    return result.output.splitlines()[0]


@pytest.fixture(scope="module")
def running(settings: Settings) -> Iterator[Edge]:
    with ExitStack() as stack:
        listed = {one.number: one for one in instances(settings)}

        def start(number: int) -> Reader:
            ports = {"active_port": listed[number].active_port, "grpc_port": listed[number].grpc_port}
            live = {"tile38_urls": settings.tile38_urls, "tile38_copies": settings.tile38_copies}
            return stack.enter_context(reader("active", **live, **ports))

        for port in (settings.history_port, listed[2].history_port, settings.dagster_port):
            stack.enter_context(echo(port))
        key = keys(settings, "add", "tests", "--rate", "100000")
        path = configure(settings)
        log = stack.enter_context((settings.var / "edge.log").open("wb"))
        process = stack.enter_context(subprocess.Popen([haproxy() or "", "-W", "-f", path], stdout=log, stderr=log))
        stack.callback(process.terminate)
        url = f"http://127.0.0.1:{settings.edge_port}"
        client = stack.enter_context(httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=WITHIN_S))
        yield Edge(settings, client, key, start, lambda: process.send_signal(signal.SIGUSR2))


@pytest.fixture
def edge(running: Edge) -> Edge:
    running.restore()
    return running


def stranger(edge: Edge, address: str) -> httpx.Client:
    """A client without a key, from an address of its own."""
    return httpx.Client(base_url=edge.url, transport=httpx.HTTPTransport(local_address=address), timeout=WITHIN_S)


def test_tls_is_modern_and_speaks_http_2(edge: Edge) -> None:
    def connected(**limits: Any) -> tuple[str | None, str | None]:
        context = ssl.create_default_context(cafile=certificate(edge.settings))
        context.set_alpn_protocols(["h2", "http/1.1"])
        for name, value in limits.items():
            setattr(context, name, value)
        with (
            socket.create_connection(("127.0.0.1", edge.settings.edge_tls_port or 0)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            return wrapped.selected_alpn_protocol(), wrapped.version()

    assert connected() == ("h2", "TLSv1.3")
    assert connected(maximum_version=ssl.TLSVersion.TLSv1_2) == ("h2", "TLSv1.2")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_grpc_goes_through(edge: Edge, tls: bool) -> None:
    roots = grpc.ssl_channel_credentials(certificate(edge.settings).read_bytes())
    channel = (
        grpc.secure_channel(f"localhost:{edge.settings.edge_tls_port}", roots)
        if tls
        else grpc.insecure_channel(f"127.0.0.1:{edge.settings.edge_port}")
    )
    with filled(edge.settings, position(0x3C6444, 46.5, 8.0)), channel:
        watch = channel.unary_stream(
            "/flight.v1.LiveService/Watch",
            request_serializer=api_pb2.WatchRequest.SerializeToString,
            response_deserializer=api_pb2.WatchUpdate.FromString,
        )
        call = watch(api_pb2.WatchRequest(), timeout=WITHIN_S)
        assert next(call).reset
        call.cancel()


def test_data_that_have_stopped_leave_the_instances_where_they_are(edge: Edge) -> None:
    with filled(edge.settings) as sky:
        sky.stall(600_000)
        assert edge.client.get("/readyz").json()["type"] == "/docs#data-stale"
        assert edge.client.get("/healthz").status_code == 200
        assert edge.client.get("/").headers["Content-Type"].startswith("text/html")
        assert edge.up() == 2


def test_websockets_go_through(edge: Edge) -> None:
    with connect(f"{edge.url}/v1/live/ws".replace("http:", "ws:")) as websocket:
        assert json.loads(websocket.recv(WITHIN_S)) == {"event": "reset"}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        (TILE, "/v1/live/tiles/{z}/{x}/{y}.{suffix}"),
        ("/v1/live?bbox=5,45,11,48", "/v1/live"),
        ("/data/aircraft.json", "/data/aircraft.json"),
        ("/api/states/all?lamin=45&lomin=5&lamax=48&lomax=11", "/api/states/all"),
    ],
)
def test_a_crowd_that_asks_the_same_is_answered_from_the_cache(edge: Edge, path: str, route: str) -> None:
    def asked() -> float:
        wanted = f'flight_http_requests_total{{code="200",method="GET",route="{route}"}}'
        lines = [line for one in edge.actives.values() for line in one.client.get("/metrics").text.splitlines()]
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    with filled(edge.settings, position(0x3C6444, 46.5, 8.0)):
        wait_until(lambda: "3c6444" in edge.client.get(path).text, WITHIN_S, "the flight to be told")
        before = asked()
        answers = [edge.client.get(path) for _ in range(100)]
        seconds = sum(answer.elapsed.total_seconds() for answer in answers)
        assert {answer.status_code for answer in answers} == {200}
        assert any("age" in answer.headers for answer in answers)
        assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {"*"}
        assert before > 0
        assert asked() - before <= 2 * seconds + 4  # one a second, or two where the cache's second is cut short
        if path == TILE:
            again = edge.client.get(path, headers={"If-None-Match": answers[-1].headers["ETag"]})
            assert again.status_code == 304


def test_a_form_that_is_named_is_never_answered_with_another_from_the_cache(edge: Edge) -> None:
    path = "/v1/live?bbox=5,45,11,48"
    for accept in ("application/json", "application/geo+json", "application/x-protobuf", "*/*") * 2:
        answer = edge.client.get(path, headers={"Accept": accept})
        assert answer.headers["Content-Type"].partition(";")[0] == accept.replace("*/*", "application/json")
        assert answer.headers["Vary"] == "accept, accept-encoding"


def test_an_address_that_asks_too_much_is_told_when_to_go_on_and_a_key_allows_more(edge: Edge) -> None:
    with stranger(edge, "127.0.0.2") as greedy, stranger(edge, "127.0.0.3") as modest:
        codes = [greedy.get("/docs").status_code for _ in range(ANONYMOUS_RATE * WINDOW_S)]
        assert set(codes) == {200}
        refused = greedy.get("/docs")
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == refused.headers["X-Rate-Limit-Retry-After-Seconds"] == str(WINDOW_S)
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["type"] == "/docs#too-many-requests"
        assert greedy.get("/docs", headers={"X-API-Key": edge.key}).status_code == 200
        assert modest.get("/docs").status_code == 200
    metrics = httpx.get(f"http://127.0.0.1:{edge.settings.edge_metrics_port}/metrics").text
    assert 'haproxy_backend_http_requests_total{proxy="refused-rate"} 1\n' in metrics


def test_a_key_holds_from_the_moment_it_is_made_to_the_moment_it_is_revoked(edge: Edge) -> None:
    key = keys(edge.settings, "add", "short", "--rate", "1")
    with stranger(edge, "127.0.0.4") as client:
        codes = [client.get("/docs", headers={"X-API-Key": key}).status_code for _ in range(WINDOW_S + 1)]
        assert codes == [200] * WINDOW_S + [429]
        keys(edge.settings, "revoke", "short")
        refused = client.get("/docs", headers={"X-API-Key": key})
        assert (refused.status_code, refused.json()["type"]) == (401, "/docs#unknown-key")


def test_a_key_has_its_amount_of_a_day_and_is_told_what_is_left(edge: Edge) -> None:
    key = keys(edge.settings, "add", "daily", "--daily", "4")

    def asked(path: str = "/docs") -> tuple[int, int, int, str | None]:
        """The status, what is left, seconds to midnight, and what `Retry-After` says."""
        answer = httpx.get(edge.url + path, headers={"X-API-Key": key})
        assert answer.headers["RateLimit-Policy"] == '"day";q=4;w=86400'
        day, left, seconds = answer.headers["RateLimit"].split(";")
        assert day == '"day"'
        wait = answer.headers.get("Retry-After")
        return answer.status_code, int(left.removeprefix("r=")), int(seconds.removeprefix("t=")), wait

    left = [asked(path)[:2] for path in ("/docs", TILE, TILE)]  # one from the cache is one, too
    assert [amount for _, amount in left] == [3, 2, 1]
    read_anew(edge)  # the counters stay
    assert asked()[:2] == (200, 0)
    status, remaining, seconds, wait = asked()
    assert (status, remaining) == (429, 0)
    assert wait is not None
    assert 0 <= seconds - int(wait) <= 86_400
    assert httpx.get(edge.url + "/docs", headers={"X-API-Key": edge.key}).status_code == 200
    assert "RateLimit" not in edge.client.get("/docs").headers


def test_a_key_holds_to_the_end_of_its_last_day(edge: Edge) -> None:
    today = datetime.now(UTC).date()
    key = keys(edge.settings, "add", "until-tomorrow", "--expires", f"{today + timedelta(days=1)}")
    answer = httpx.get(edge.url + "/docs", headers={"X-API-Key": key})
    assert (answer.status_code, "RateLimit" in answer.headers) == (200, False)
    (digest,) = (one.digest for one in read_keys(keys_file(edge.settings)) if one.name == "until-tomorrow")
    over = f"until-tomorrow:200:client:2026-01-01::{today - timedelta(days=1)}"
    assert orders(edge, f"set map {keys_file(edge.settings)} {digest} {over}").strip() == ""
    refused = httpx.get(edge.url + "/docs", headers={"X-API-Key": key})
    assert (refused.status_code, refused.json()["type"]) == (401, "/docs#unknown-key")


def read_anew(edge: Edge) -> None:
    """The edge reads its configuration anew, as an operator has it do; its next process has taken over."""
    wait_until(lambda: "resync_timeout=<PAST>" in orders(edge, "show peers"), WITHIN_S, "it to know what is counted")
    before, counted = _worker(edge), orders(edge, "show table days").count("http_req_cnt=")
    master = Path(f"/proc/{before}/status").read_text().partition("PPid:")[2].split()[0]
    os.kill(int(master), signal.SIGUSR2)
    wait_until(lambda: _worker(edge) != before, WITHIN_S, "another process to take over")
    wait_until(lambda: orders(edge, "show table days").count("http_req_cnt=") == counted, WITHIN_S, "it to be told")


def test_what_is_too_large_is_refused(edge: Edge) -> None:
    assert edge.client.request("GET", "/v1/live", content=b"x" * 20_000).status_code == 413
    assert edge.client.request("GET", "/v1/live", content=iter([b"x"])).status_code == 411
    for headers in ({"X-Long": "x" * 20_000}, {f"X-{number}": "x" for number in range(80)}):
        assert edge.client.get("/v1/live", headers=headers).status_code == 400


def test_dagster_is_closed_without_the_key_of_an_operator(edge: Edge) -> None:
    operator = keys(edge.settings, "add", "operator", "--operator")
    at = {"Host": f"dagster.localhost:{edge.settings.edge_port}"}
    with stranger(edge, "127.0.0.5") as client:
        refused = client.get("/graphql", headers=at)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic")
        assert client.get("/graphql", headers=at | {"X-API-Key": edge.key}).status_code == 401
        assert client.get("/graphql").status_code == 404
        told = client.get("/graphql", headers=at | {"X-API-Key": operator}).json()
        assert told["path"] == "/graphql"
        assert client.get("/", headers=at, auth=("anybody", operator)).status_code == 200
        assert client.get("/", headers=at, auth=("anybody", "guessed")).status_code == 401


def test_what_was_goes_to_history_without_the_key_and_metrics_are_not_for_the_public(edge: Edge) -> None:
    for path in ("/v1/flights?from=a", "/v1/gaps", "/api/flights/all", "/api/tracks/all", "/quality/"):
        told = edge.client.get(path, headers={"X-Forwarded-For": "6.6.6.6"}).json()
        assert told["path"] == path
        assert "x-api-key" not in told["headers"]
        assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert edge.client.get("/history/docs").json()["path"] == "/docs"
    for path in ("/metrics", "/%6detrics", "/history/metrics"):
        assert edge.client.get(path).status_code == 404


def test_any_live_server_answers_tools_of_ones_own(edge: Edge) -> None:
    with redis.Redis(port=edge.settings.edge_live_port, protocol=2, driver_info=None) as client:
        assert client.ping()


def test_the_edge_gives_its_rights_away(edge: Edge) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has rights to give away")
    about = Path(f"/proc/{_worker(edge)}/status").read_text()
    uid = next(line for line in about.splitlines() if line.startswith("Uid:")).split()[1]
    assert uid != "0"


def orders(edge: Edge, order: str) -> str:
    """What the running edge says to an order."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(control_socket(edge.settings)))
        control.sendall(f"{order}\n".encode())
        return control.makefile().read()


def _worker(edge: Edge) -> int:
    return int(next(line for line in orders(edge, "show info").splitlines() if line.startswith("Pid:")).split()[1])


@contextmanager
def crowd(edge: Edge) -> Iterator[Callable[[int], None]]:
    """Clients that ask all the time and keep their connections: HTTP/1.1, and HTTP/2 over TLS. None is failed.

    Gives what waits for so many more answers.
    """
    done = threading.Event()
    told: list[tuple[str, int | str]] = []
    tls = ssl.create_default_context(cafile=certificate(edge.settings))

    def ask(base_url: str, http2: bool) -> None:
        headers = {"X-API-Key": edge.key}
        with httpx.Client(base_url=base_url, headers=headers, timeout=WITHIN_S, http2=http2, verify=tls) as client:
            while not done.is_set():
                try:
                    answer = client.get("/v1/live?bbox=5,45,11,48")
                    told.append((answer.http_version, answer.status_code))
                except httpx.HTTPError as error:
                    # httpx gives up what it has asked when a server says that it takes no more on this connection,
                    # though the answer comes (RFC 9113, 6.8).
                    if "error_code:0, last_stream_id:2147483647" not in repr(error):
                        told.append(("none", repr(error)))

    def asked(more: int) -> None:
        enough = len(told) + more
        wait_until(lambda: len(told) > enough, WITHIN_S, "requests to flow")

    encrypted = f"https://localhost:{edge.settings.edge_tls_port}"
    with filled(edge.settings, position(0x3C6444, 46.5, 8.0)):
        threads = [threading.Thread(target=ask, args=of) for of in ((edge.url, False), (encrypted, True)) * 2]
        for thread in threads:
            thread.start()
        try:
            asked(50)
            yield asked
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert set(told) == {("HTTP/1.1", 200), ("HTTP/2", 200)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_one_instance_after_the_other_gone_is_no_failed_request(edge: Edge, how: signal.Signals) -> None:
    with crowd(edge) as asked:
        edge.stop(1, how)
        asked(100)
        edge.restore()
        edge.stop(2, how)
        asked(100)
    assert edge.client.get("/healthz").status_code == 200


def test_a_new_configuration_is_no_failed_request_and_ends_no_stream(edge: Edge) -> None:
    before = _worker(edge)
    with crowd(edge) as asked, edge.client.stream("GET", "/v1/live/events") as stream:
        updates = (line for line in stream.iter_lines() if line.startswith("id: "))
        next(updates)
        edge.reload()
        wait_until(lambda: _worker(edge) != before, WITHIN_S, "another worker")
        asked(200)
        assert next(updates) != next(updates)


def test_a_stream_is_resumed_on_the_other_instance(edge: Edge) -> None:
    def streams(one: Reader) -> bool:
        return 'flight_stream_clients{protocol="sse"} 1.0' in one.client.get("/metrics").text

    with filled(edge.settings, position(0x3C6444, 46.5, 8.0)) as sky:
        ids: list[str] = []
        known_ms = now_ms() + 3_000  # then both instances have seen enough to tell what came after
        with edge.client.stream("GET", "/v1/live/events") as answer, suppress(httpx.RemoteProtocolError):
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    ids.append(line.removeprefix("id: "))
                    serving = [number for number, one in edge.actives.items() if streams(one)]
                    if int(ids[-1]) > known_ms and serving:
                        edge.stop(serving[0], signal.SIGKILL)
        assert len(edge.actives) == 1
        sky.write(position(0x4B1800, 47.5, 8.5))
        with edge.client.stream("GET", "/v1/live/events", headers={"Last-Event-ID": ids[-1]}) as answer:
            assert answer.status_code == 200
            names = []
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    names.append(line.removeprefix("event: "))
                if "4b1800" in line:
                    break
            assert "reset" not in names
