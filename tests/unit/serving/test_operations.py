"""An operation is asked as FastAPI would ask it: the same arguments, the same refusals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field

from serving import parameters
from serving.app import make_app
from serving.operations import Operation
from serving.parameters import FlightIdPath
from tests.unit.serving.asking import ask


class Asked(parameters.Query):
    limit: int = Field(10, ge=1, le=20)
    start: str | None = Field(None, alias="from")
    several: tuple[int, ...] = ()


async def _named(request: Request) -> str:
    return request.url.path.partition("/things")[0]


def _app(route: type[APIRoute]) -> FastAPI:
    routes = APIRouter(route_class=route)

    @routes.get("/{flight_id}/{level}")
    async def thing(
        request: Request,
        flight_id: FlightIdPath,
        level: Annotated[int, Path(ge=0)],
        query: Annotated[Asked, Query()],
        name: Annotated[str, Depends(_named)],
    ) -> Response:
        return Response(f"{request.method} {flight_id} {level!r} {query!r} {name}")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    async def ready() -> None:
        return

    return make_app("Test API", "For tests.", [routes], lifespan=lifespan, ready=ready)


@pytest.mark.parametrize(
    "url",
    [
        "/3C6444-67A1B2C3/7",
        "/3c6444-67a1b2c3/7?limit=3&from=a%20b&several=1&several=2",
        "/3c6444-67a1b2c3/7?limit=3&limit=4&several=5",
        "/3c6444-67a1b2c3/-1?limit=21&several=1&several=x",
        "/nobody/x?start=1&other=1&other=2&limit=&from=",
    ],
)
def test_as_fastapi_does_it(url: str) -> None:
    usual, ours = ask(_app(APIRoute), url), ask(_app(Operation), url)
    assert (ours.status_code, ours.text) == (usual.status_code, usual.text)
    assert ours.status_code == (200 if "/7" in url else 422)
