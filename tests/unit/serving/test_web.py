"""The map's files as the active API serves them."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from serving.web import serve_map
from tests.unit.serving.asking import ask

INDEX = '<!doctype html><meta name="flight-history" content="" /><title>Flights</title>'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-1.js").write_text("let a = 1;")
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "icon.svg").write_text("<svg/>")
    return tmp_path


def asked(dist: Path, url: str) -> httpx.Response:
    app = FastAPI()
    serve_map(app, own_port=8081, history_port=8082, dist=dist)
    return ask(app, url)


def test_asked_directly_the_page_finds_history_on_its_own_port(dist: Path) -> None:
    answer = asked(dist, "http://127.0.0.1:8081/")
    assert 'content="http://127.0.0.1:8082"' in answer.text
    assert "connect-src 'self' http://127.0.0.1:8082;" in answer.headers["content-security-policy"]


def test_behind_an_edge_history_is_at_the_same_address(dist: Path) -> None:
    answer = asked(dist, "https://flights.example/")
    assert answer.text == INDEX
    assert "127.0.0.1" not in answer.headers["content-security-policy"]


def test_files_come_with_their_types(dist: Path) -> None:
    assert asked(dist, "/assets/index-1.js").headers["content-type"].startswith("text/javascript")
    assert asked(dist, "/icon.svg").headers["content-type"] == "image/svg+xml"
    assert asked(dist, "/assets/%2e%2e/index.html").status_code == 404


def test_where_it_is_not_built_the_page_says_how(tmp_path: Path) -> None:
    answer = asked(tmp_path, "http://127.0.0.1:8081/")
    assert answer.status_code == 200
    assert "make setup" in answer.text
