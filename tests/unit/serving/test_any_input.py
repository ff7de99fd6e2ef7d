"""Whatever is sent, the answer is a good one or a problem, and never a 500."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from flight_platform.settings import Settings
from serving.active import make_active
from serving.history import make_history
from tests.unit.serving.test_active import FakeReader
from tests.unit.serving.test_history import FakeHistory

APPLICATIONS = {
    "active": make_active(Settings.read(), FakeReader()),
    "history": make_history(Settings.read(), FakeHistory()),
}
VALUES = st.one_of(
    st.text(max_size=20),
    st.floats().map(repr),
    st.integers().map(str),
    st.lists(st.floats(-200, 200), min_size=3, max_size=5).map(lambda edges: ",".join(map(repr, edges))),
    st.datetimes().map(str),
    st.sampled_from(["3c6444", "~3c6444-67a1b2c3", "true", "2026-01-31T12:00:00Z", "%00", "WzEsMl0", "WzEsMixbXV0"]),
)


def _operations(app: FastAPI) -> list[tuple[str, list[dict[str, Any]]]]:
    paths = app.openapi()["paths"]
    listed = [(path, item["get"]["parameters"]) for path, item in paths.items() if "parameters" in item["get"]]
    return [(path, parameters) for path, parameters in listed if path != "/v1/live/events"]  # a good answer has no end


@pytest.mark.parametrize("name", APPLICATIONS)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_no_input_is_a_defect(name: str, data: st.DataObject) -> None:
    app = APPLICATIONS[name]
    path, parameters = data.draw(st.sampled_from(_operations(app)))
    query = []
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(data.draw(VALUES), safe="~-"))
        elif parameter["in"] == "query" and data.draw(st.booleans()):
            query.append(f"{parameter['name']}={quote(data.draw(VALUES), safe='')}")
    answer = asyncio.run(_get(app, path, "&".join(query)))
    assert answer.status_code in {200, 400, 404, 422}, answer.text
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


async def _get(app: FastAPI, path: str, query: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return await client.get(path, params=query)
