"""The live map: the built files of `web/`, served at `/` by the active API.

Where they were not built, `/` says how. Where the page finds the history API is written into it as it is served: asked
on our own port there is no edge in front, so history is on another port of the same machine.
"""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

DIST: Final = Path(__file__).resolve().parent.parent / "web" / "dist"
_PLACE: Final = '<meta name="flight-history" content="" />'
_NOT_BUILT: Final = (
    "<!doctype html><title>Flights</title><p>The map is not built here. With Node 18 or later installed, "
    '<code>make setup</code> builds it. The API explains itself at <a href="/docs">/docs</a>.'
)
# The page loads nothing from elsewhere; MapLibre makes its workers from blobs and its images from data.
_POLICY: Final = (
    "default-src 'self'; connect-src 'self' {history}; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


def serve_map(app: FastAPI, *, own_port: int, history_port: int, dist: Path = DIST) -> None:
    """Adds the page and its files, behind every route that is there already."""

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        index = dist / "index.html"
        if not index.is_file():
            return HTMLResponse(_NOT_BUILT)
        direct = request.url.port == own_port
        history = f"{request.url.scheme}://{request.url.hostname}:{history_port}" if direct else ""
        text = index.read_text().replace(_PLACE, _PLACE.replace('""', f'"{history}"'))
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY.format(history=history)}
        return HTMLResponse(text, headers=headers)

    if (dist / "assets").is_dir():
        # Vite names them by their content: one that is there never changes.
        app.mount("/assets", StaticFiles(directory=dist / "assets"), name="assets")

    @app.get("/icon.svg", include_in_schema=False)
    async def icon() -> HTMLResponse:
        path = dist / "icon.svg"
        text = path.read_text() if path.is_file() else "<svg/>"
        return HTMLResponse(text, media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})
