"""Asks an application in this process, without a socket: what every test of the APIs does."""

import asyncio

import httpx
from fastapi import FastAPI


def ask(app: FastAPI, *urls: str, method: str = "GET", headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer to the last of these requests; the application is started and stopped around them."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            for url in urls:
                answer = await client.request(method, url, headers=headers)
            return answer

    return asyncio.run(run())
