"""The shell that every reader's HTTP application shares: problems, metrics, health, CORS, OpenAPI.

What an application serves is in `active.py` and `history.py`; how it is run is in `server.py`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving import health, problems
from serving.pages import docs_page
from serving.shell import AnyOrigin, Boundary, Observed

VERSION = "1"  # of the API: the `v1` in its paths
# Headers that a page from elsewhere may read; the last two are the edge's.
EXPOSED = ["ETag", "Flight-Age", "Flight-Watermark", "Retry-After", "RateLimit", "RateLimit-Policy"]

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(
    title: str,
    description: str,
    routes: Sequence[APIRouter],
    *,
    lifespan: Lifespan,
    ready: health.Readiness,
    shapes: Sequence[type[BaseModel]] = (),
) -> FastAPI:
    """An application with these routes. `lifespan` opens and closes its store; `ready` asks the store for a sign.

    `shapes` are those that its document refers to beside the models of the routes' JSON answers.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,  # both of FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a path that is not ours is a 404, not a redirect to another
        telemetry={"tracing": False, "metrics": False, "logs": False},  # OpenTelemetry's; ours is in `shell.py`
    )
    problems.install(app)
    for router in (*routes, health.router(ready)):
        app.router.routes += router.routes  # `include_router` would look through all of it twice with each request
    _describe(app, [problems.Problem, *shapes])
    # The last one added is the outermost.
    app.add_middleware(Boundary)
    app.add_middleware(AnyOrigin, expose=EXPOSED)
    app.add_middleware(Observed)
    return app


def _describe(app: FastAPI, shapes: Sequence[type[BaseModel]]) -> None:
    """OpenAPI with the schemas of these shapes, and the page that shows it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, definitions = models_json_schema(
                [(shape, "serialization") for shape in shapes], ref_template="#/components/schemas/{model}"
            )
            document.setdefault("components", {}).setdefault("schemas", {}).update(definitions["$defs"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))
