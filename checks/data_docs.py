"""Data Docs as pages: one a judged hour and one that lists them, in a folder that the history API serves at /quality.

    var/quality/index.html    hours/2026-01-31T22.html    flights.html

The library's pages ask six other sites for style, script and a logo, and show nothing readable without them. Here they
stand alone: what they would fetch is cut away, and one small style is put in its place.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from time import time
from typing import Any, Final

from flight_platform.settings import Settings

FOLDER: Final = "quality"  # below FLIGHT_VAR
KEPT_DAYS: Final = 35  # pages; the verdicts stay in the database
_STYLE: Final = Path(__file__).with_name("data_docs.css")
_FOREIGN: Final = re.compile(r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL)
_OWN_STYLE: Final = re.compile(r"<style\b.*?</style>", re.DOTALL)
_RELATIVE: Final = re.compile(r'href="(?:\.\./)+[^"]*"')  # to pages that we do not make


def hour_page(hour: datetime) -> str:
    """Name of the page of an hour."""
    return f"hours/{hour:%Y-%m-%dT%H}.html"


def publish(settings: Settings, name: str, title: str, page: str, *, passed: bool) -> str:
    """Puts a page of the library's in its place and returns its address."""
    _write(settings.var / FOLDER / name, _alone(page, title, up="../" * name.count("/"), passed=passed))
    return f"{address(settings)}/{name}"


def publish_index(settings: Settings, verdicts: Iterable[Mapping[str, Any]]) -> str:
    """Lists judged hours, the newest first, with links to the pages that are there; returns its address."""
    folder = settings.var / FOLDER
    _forget_old(folder / "hours")
    rows = "\n".join(_row(folder, verdict) for verdict in sorted(verdicts, key=lambda v: v["hour"], reverse=True))
    head = "<tr><th>hour (UTC)</th><th>verdict</th><th>rows</th><th>what is not as expected</th></tr>"
    body = f"<h1>Quality of closed hours</h1>\n<table>{head}\n{rows}\n</table>"
    _write(folder / "index.html", _document("Quality of closed hours", body))
    return f"{address(settings)}/index.html"


def address(settings: Settings) -> str:
    """Where the pages are served."""
    return (settings.quality_url or f"http://127.0.0.1:{settings.history_port}/quality").rstrip("/")


def _alone(page: str, title: str, *, up: str, passed: bool) -> str:
    body = page[page.find("<body>") + len("<body>") : page.rfind("</body>")]
    body = _RELATIVE.sub("", _OWN_STYLE.sub("", _FOREIGN.sub("", body)))
    colour, word = ("green", "as expected") if passed else ("red", "not as expected")
    head = (
        f'<p><a href="{up}index.html">All hours</a></p><h1>{escape(title)}: <span class="{colour}">{word}</span></h1>'
    )
    return _document(title, head + body)


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text()}</style></head>\n<body>{body}</body></html>\n"
    )


def _row(folder: Path, verdict: Mapping[str, Any]) -> str:
    hour: datetime = verdict["hour"]
    name = hour_page(hour)
    label = f"{hour:%Y-%m-%d %H:00}"
    link = f'<a href="{name}">{label}</a>' if (folder / name).is_file() else label
    failures = "; ".join(f"{failure['name']}: {failure['observed']}" for failure in verdict["failures"] or [])
    if verdict["passed"]:
        word, colour = verdict["presence"], "green"
    elif verdict["accepted_at"] is not None:
        word, colour = f"accepted by {verdict['accepted_by']}: {verdict['accepted_reason']}", ""
    else:
        word, colour = "red", "red"
    cells = f'<td class="{colour}">{escape(str(word))}</td><td>{verdict["rows"]}</td><td>{escape(failures)}</td>'
    return f"<tr><td>{link}</td>{cells}</tr>"


def _forget_old(folder: Path) -> None:
    oldest = time() - KEPT_DAYS * 86_400
    for page in folder.glob("*.html"):
        if page.stat().st_mtime < oldest:
            page.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: somebody may be reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
