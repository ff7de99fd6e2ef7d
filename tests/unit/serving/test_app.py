"""What every application of the readers has around its routes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY

from flight_platform.settings import Settings
from serving.active import make_active
from serving.app import make_app
from serving.history import make_history
from tests.unit.serving.asking import ask

routes = APIRouter()


@routes.get("/v1/things/{name}", summary="A thing")
async def thing(name: str, size: int = 1) -> dict[str, Any]:
    if name == "broken":
        raise RuntimeError("the secret inside")
    return {"name": name, "size": size}


@routes.get("/v1/stream", summary="An answer that breaks off")
async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("half way")

    return StreamingResponse(parts())


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


async def _ready() -> None:
    return


def _app(ready: Any = _ready) -> FastAPI:
    return make_app("Test API", "For tests.", [routes], lifespan=_lifespan, ready=ready)


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    return body


def test_no_such_path_is_a_problem() -> None:
    assert "/nothing" in _problem(ask(_app(), "/nothing"), 404)["detail"]


def test_another_method_is_a_problem_and_says_which_are_possible() -> None:
    answer = ask(_app(), "/v1/things/a", method="POST")
    _problem(answer, 405)
    assert answer.headers["allow"] == "GET"


def test_a_bad_parameter_is_a_problem_with_the_field() -> None:
    assert _problem(ask(_app(), "/v1/things/a?size=x"), 422)["errors"][0]["field"] == "size"


def test_a_defect_is_a_problem_that_tells_nothing_of_our_insides(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(_app(), "/v1/things/broken", headers={"Origin": "https://map.example"})
    _problem(answer, 500)
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "the secret inside" in capsys.readouterr().out  # the log has it


def test_an_answer_that_broke_off_is_not_ended_as_if_whole() -> None:
    with pytest.raises(RuntimeError, match="half way"):  # raising is what makes the server cut the connection
        ask(_app(), "/v1/stream")


def test_metrics_know_routes_and_not_paths() -> None:
    def count(**labels: str) -> float:
        return REGISTRY.get_sample_value("flight_http_requests_total", labels) or 0

    template = {"route": "/v1/things/{name}", "method": "GET", "code": "200"}
    before = count(**template)
    text = ask(_app(), "/v1/things/one-of-many", "/v1/things/another", "/raw/path/of/nobody", "/metrics").text
    assert count(**template) == before + 2
    assert 'route="unmatched"' in text
    assert "one-of-many" not in text
    assert "/raw/path" not in text
    assert 'flight_http_request_duration_seconds_count{route="/v1/things/{name}"}' in text


def test_an_invented_method_makes_no_label() -> None:
    assert 'method="BREW"' not in ask(_app(), "/v1/things/a", "/metrics", method="BREW").text
    assert 'method="BREW"' not in ask(_app(), "/metrics").text


def test_the_access_log_has_one_entry_a_request_and_none_for_probes() -> None:
    with structlog.testing.capture_logs() as entries:
        ask(_app(), "/v1/things/a?size=2", "/healthz", "/metrics")
    requests = [entry for entry in entries if entry["event"] == "http_request" and entry["log_level"] == "info"]
    assert len(requests) == 1
    assert (requests[0]["route"], requests[0]["path"]) == ("/v1/things/{name}", "/v1/things/a")
    assert (requests[0]["status"], requests[0]["query"]) == (200, "size=2")
    assert requests[0]["bytes"] == len(b'{"name":"a","size":2}')


def test_a_page_from_elsewhere_may_read() -> None:
    preflight = {"Origin": "https://map.example", "Access-Control-Request-Method": "GET"}
    answer = ask(_app(), "/v1/things/a", method="OPTIONS", headers=preflight)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert answer.headers["access-control-allow-methods"] == "GET"


def test_an_answer_is_the_same_whoever_asks() -> None:
    """So that a cache keeps one for all: nothing in it depends on the origin, and nothing says so."""
    for url in ("/v1/things/a", "/nothing"):
        of_a_page, of_a_program = ask(_app(), url, headers={"Origin": "https://map.example"}), ask(_app(), url)
        assert of_a_page.headers == of_a_program.headers
        assert of_a_page.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in of_a_page.headers["access-control-expose-headers"]
        assert "vary" not in of_a_page.headers


def test_readiness_says_why_not() -> None:
    async def refused() -> None:
        raise OSError("connection refused")

    async def silent() -> None:
        await asyncio.Event().wait()

    assert ask(_app(), "/readyz").json() == {"status": "ready"}
    answer = ask(_app(refused), "/readyz")
    assert "connection refused" in _problem(answer, 503)["detail"]
    assert answer.headers["retry-after"]
    assert "within" in _problem(ask(_app(silent), "/readyz"), 503)["detail"]
    assert ask(_app(refused), "/healthz").json() == {"status": "ok"}


APPLICATIONS = [make_active, make_history]


@pytest.mark.parametrize("make", APPLICATIONS)
def test_every_operation_is_described_with_its_problems(make: Any) -> None:
    document = make(Settings.read()).openapi()
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for operation in item.values():
            answers = operation["responses"]
            problems = {status for status in answers if status >= "400"}
            assert problems, path
            for status in problems:
                schema = answers[status]["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, (path, status)
            if operation.get("parameters"):
                assert "422" in problems, path


@pytest.mark.parametrize("make", APPLICATIONS)
def test_the_document_refers_only_to_what_it_defines(make: Any) -> None:
    document = make(Settings.read()).openapi()
    text = json.dumps(document)
    defined = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    assert used <= defined
    assert "HTTPValidationError" not in text
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("make", APPLICATIONS)
def test_the_page_needs_nothing_from_elsewhere(make: Any) -> None:
    app = make(Settings.read())
    page = asyncio.run(_page(app))
    assert "http://" not in page
    assert "https://" not in page
    assert 'id="invalid-parameter"' in page
    assert all(path.replace("&", "&amp;") in page for path in app.openapi()["paths"])


async def _page(app: FastAPI) -> str:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return (await client.get("/docs")).text
