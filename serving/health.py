"""`/healthz`, `/readyz` and `/metrics`, the same for every reader.

Health is the process alone: a supervisor restarts what is not healthy, and no restart brings a store back. Readiness
is the store behind it and how fresh it is, the same for all instances: a balancer that should serve what there is goes
by health.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from serving.problems import ProblemError, responses, unavailable

READY_WITHIN_S: Final = 2.0  # balancers give up on a check after two or three seconds

Readiness = Callable[[], Awaitable[None]]
"""Returns where the store answers and is fresh; raises with the reason where not."""


def router(ready: Readiness) -> APIRouter:
    """The three routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Whether the process runs", responses=responses())
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz", summary="Whether the store answers and is fresh", responses=responses(503))
    async def readyz() -> JSONResponse:
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await ready()
        except ProblemError:
            raise
        except TimeoutError:
            raise unavailable(f"the store did not answer within {READY_WITHIN_S:g} s") from None
        except Exception as error:
            raise unavailable(f"the store does not answer: {error}") from error
        return JSONResponse({"status": "ready"})

    @routes.get("/metrics", summary="Prometheus metrics of this process", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


def check_fresh(age_s: float | None, window_s: float, consumer: str, missing: Sequence[str] = ()) -> None:
    """Raises a 503 where the newest position is older than the window, or there is none.

    `consumer` is who writes the store, `missing` what of the store has not answered.
    """
    if age_s is None:
        unanswered = f"; missing: {', '.join(missing)}" if missing else ""
        raise unavailable(f"no {consumer} consumer has written a position{unanswered}", "data-stale")
    if age_s > window_s:
        raise unavailable(f"the newest position is {age_s:.0f} s old, the live window is {window_s:g} s", "data-stale")
