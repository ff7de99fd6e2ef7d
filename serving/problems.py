"""Errors as readers see them: problem details (RFC 9457), one shape for every status.

    { "type", "title", "status", "detail", "errors": [ { "field", "message", "example" } ] }

What belongs here is how an error is told. What can be wrong with a parameter is in `parameters.py`.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from flight_platform.errors import FlightError
from serving.parameters import EXAMPLES

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2  # what a store needs to come back: a restart of a live server, a failover of Postgres

# The kinds of problem that have a type of their own; the page at /docs explains each under its anchor.
KINDS: Final[dict[str, str]] = {
    "invalid-parameter": "A parameter is missing or wrong; `errors` names each with an example.",
    "not-live": "No position of this flight within the live window: it landed, left coverage or never was.",
    "no-such-tile": "The map has no such tile: at zoom z there are 2^z columns and as many rows.",
    "no-such-flight": "History has no flight with this id.",
    "format-not-available": "The track is not offered in this format; the detail names those that are.",
    "store-unavailable": "The store behind this API does not answer; try again after `Retry-After` seconds.",
    "data-stale": "The newest position is older than the live window: there is nothing to show.",
    "too-many-streams": "This process pushes to as many clients as it can; another instance may have room.",
    "too-many-exports": "As many long answers are being sent as this process can; try again when one is done.",
    "not-recorded": "A file that leaves the platform is written into the audit first, and that could not be.",
    "too-slow": "The answer took longer than this API waits; ask for less.",
    "too-many-requests": "The edge counts requests by key or address: go on after `Retry-After` seconds.",
    "unknown-key": "The key is not known, was revoked, or does not open this.",
    "too-large": "The body of the request is larger than anything here takes.",
    "internal-error": "A defect on our side; the log has it.",
}


class FieldError(BaseModel):
    """One parameter that is wrong."""

    field: str = Field(examples=["bbox"])
    message: str = Field(examples=["four numbers are expected: west,south,east,north"])
    example: str | None = Field(None, description="a value that is right", examples=["5.5,45.5,11,48.2"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(examples=["/docs#invalid-parameter"])
    title: str = Field(examples=["Invalid parameter"])
    status: int = Field(examples=[422])
    detail: str
    errors: list[FieldError] | None = Field(None, description="the parameters that are wrong, where some are")


class ProblemError(FlightError):
    """A request that is answered with a problem; `kind` is one of KINDS."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str | None]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = errors, dict(headers or {})


def unavailable(detail: str, kind: str = "store-unavailable") -> ProblemError:
    """503, with the time after which to try again."""
    return ProblemError(503, kind, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def invalid(field: str, message: str) -> ProblemError:
    """422 for one parameter."""
    return _invalid([{"field": field, "message": message, "example": EXAMPLES.get(field)}])


def _invalid(errors: Sequence[Mapping[str, str | None]]) -> ProblemError:
    return ProblemError(422, "invalid-parameter", "; ".join(_sentence(error) for error in errors), errors=errors)


def _sentence(error: Mapping[str, str | None]) -> str:
    example = "" if error["example"] is None else f" (example: {error['field']}={error['example']})"
    return f"{error['field']}: {error['message']}{example}"


def render(problem: ProblemError) -> Response:
    """The answer that tells a problem."""
    return _response(
        problem.status,
        f"/docs#{problem.kind}",
        problem.kind.replace("-", " ").capitalize(),
        problem.detail,
        problem.errors,
        problem.headers,
    )


def _response(
    status: int,
    kind: str,
    title: str,
    detail: str,
    errors: Sequence[Mapping[str, str | None]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"type": kind, "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem, save those that nothing caught (see `shell.py`)."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  # what it is registered for
    return render(error)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return render(_invalid([_field_error(detail) for detail in error.errors()]))


def _field_error(detail: Mapping[str, Any]) -> dict[str, str | None]:
    field = str(detail["loc"][-1])
    if detail["type"] == "extra_forbidden":
        return {
            "field": field,
            "message": "there is no such parameter here; /docs lists those there are",
            "example": None,
        }
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "missing":
        message = "this parameter is required"
    elif isinstance(detail.get("input"), str) and detail["type"] != "value_error":
        message = f"{detail['input'][:80]!r} is wrong: {message}"
    return {"field": field, "message": message, "example": EXAMPLES.get(field)}


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}; /docs lists what there is"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET")
        detail = f"{request.method} is not possible here, but {allowed} is"
    return _response(error.status_code, "about:blank", title, detail, headers=error.headers)


_WHEN: Final[dict[int, str]] = {
    400: "The track is not offered in this format",
    401: "At the edge: the key is not known, was revoked, or does not open this",
    404: "There is none",
    405: "Only GET is possible",
    422: "A parameter is wrong; `errors` names it",
    429: "At the edge: more requests than the key or the address may make; go on after `Retry-After` seconds",
    500: "A defect on our side",
    503: "The store does not answer; try again after `Retry-After` seconds",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an operation, for its OpenAPI description."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    always = (401, 429, 500)
    return {
        status: {"description": _WHEN[status], "content": {MEDIA_TYPE: schema}}
        for status in sorted({*statuses, *always})
    }
