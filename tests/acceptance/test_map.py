"""The map in a real browser over the real APIs: it shows as many aircraft as the API says, a flight that is selected
with its track, and a stall."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import asinh, cos, radians, sin, tan, tau
from pathlib import Path
from typing import Final

import psycopg
import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import EmbeddedLive
from flight_platform.history.partitions import ensure_hour
from flight_platform.model import format_flight_id, make_flight_id
from flight_platform.settings import Settings
from flight_platform.testing import migrated_database, wait_until
from serving.web import DIST
from tests.integration.serving.filling import FIRST_SEEN_S, Filling, filled, position
from tests.integration.serving.processes import Reader, reader

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240), pytest.mark.alone]

CHROMIUM = shutil.which("chromium")
# No network but this machine's; WebGL by the processor, since a test machine has no graphics card.
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-unsafe-swiftshader",
]  # fmt: skip
PATIENCE_MS = 45_000  # a browser that draws by processor, beside other tests
VIEWPORT: Final[ViewportSize] = {"width": 1000, "height": 700}
# What the aircraft's own canvas has at points given from its middle, 0 to 255.
ALPHA = """points => {
  const {gl, canvas} = flightMap.layer;
  flightMap.layer.draw();
  return points.map(([x, y]) => {
    const pixel = new Uint8Array(4);
    gl.readPixels(canvas.width / 2 + x, canvas.height / 2 - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    return pixel[3];
  });
}"""
LOW = "flightMap.layer.onScreen().find(({y}) => y > 600)"
IS_SEEN = """() => {
  const shown = flightMap.layer.onScreen();
  const one = shown.find(({aircraft}) => aircraft.position.flight_id === flightMap.selected);
  return one !== undefined && document.elementFromPoint(one.x, one.y) === flightMap.map.getCanvas();
}"""
WIDTH = "flightMap.map.getCanvas().width"
FLIGHTS = 40
SELECTED = 0x3C6444


def aircraft(age_ms: int = 500, ground_speed_kt: float = 400.0) -> list:  # type: ignore[type-arg]  # of whatever `position` makes
    """Forty of them in rows above France, each on a track of its own; one has a name of its own."""
    now = datetime.now(UTC).timestamp() * 1000 - age_ms
    return [
        position(
            SELECTED + number,
            46.0 + number // 8,
            1.0 + number % 8,
            time=int(now),
            received_at=int(now) + 40,
            altitude_ft=number * 1000,
            ground_speed_kt=ground_speed_kt,
            track_deg=number * 9.0,
            callsign="DLH9" if number == 0 else f"TST{number}",
        )
        for number in range(FLIGHTS)
    ]


def screen(latitude: float, longitude: float, zoom: float = 7) -> tuple[float, float]:
    """Pixels east and south of the corner of a Web Mercator world, 512 wide at zoom 0."""
    world_px = 512 * 2**zoom
    south = 0.5 - asinh(tan(radians(latitude))) / tau
    return (longitude / 360 + 0.5) * world_px, south * world_px


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium): the map was not looked at")
    if not (DIST / "index.html").is_file():
        pytest.skip("the map is not built: `make setup` builds it where Node is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=VIEWPORT)
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def history(postgres_server: EmbeddedPostgres) -> Iterator[Reader]:
    """The history API with a track of twelve reports for the flight that will be selected."""
    begin = datetime.fromtimestamp(FIRST_SEEN_S, UTC)
    flight_id = make_flight_id(SELECTED, FIRST_SEEN_S)
    with migrated_database(postgres_server) as urls:
        with psycopg.connect(urls["postgres_url"]) as connection:
            ensure_hour(connection, begin)
            for minute in range(12):
                time = begin + timedelta(seconds=10 * minute)
                connection.execute(
                    "INSERT INTO history.positions (flight_id, time, received_at, latitude_e7, longitude_e7, "
                    "altitude_ft, callsign, source) VALUES (%s, %s, %s, %s, %s, %s, 'DLH9', 'paris')",
                    [flight_id, time, time, 450_000_000 + minute * 800_000, 5_000_000, minute * 900],
                )
        with reader("history", **urls) as answering:
            yield answering


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory, history: Reader) -> Iterator[tuple[Reader, Filling]]:
    folder: Path = tmp_path_factory.mktemp("live")
    port = int(str(history.client.base_url).rpartition(":")[2].strip("/"))
    with EmbeddedLive(folder, free_port(), "stand-in") as live:
        settings = Settings.read(tile38_urls=live.url)
        with (
            filled(settings, *aircraft()) as filling,
            reader("active", tile38_urls=live.url, history_port=port) as active,
        ):
            yield active, filling


def test_shows_as_many_aircraft_as_the_api_says(page: Page, sky: tuple[Reader, Filling]) -> None:
    active, filling = sky
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    filling.write(*aircraft())
    page.goto(f"{active.client.base_url}#map=5.2/48/4.5")
    expect(page.locator("#count")).to_have_text(f"{FLIGHTS} aircraft")
    wait_until(lambda: active.get("/v1/live")["count"] == FLIGHTS, what="the API to say the same")
    assert errors == []


def test_a_flight_is_found_selected_and_shown_with_its_track(page: Page, sky: tuple[Reader, Filling]) -> None:
    _, filling = sky
    filling.write(*aircraft())
    page.keyboard.press("/")
    page.keyboard.type("dlh9")
    page.locator("#found li b", has_text="DLH9").first.wait_for()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("DLH9")
    expect(page.locator("#panel")).to_contain_text("400\u00a0kt")
    expect(page.locator("#panel")).to_have_attribute("data-points", re.compile("1[2-9]"))  # and what is reported since
    assert format_flight_id(make_flight_id(SELECTED, FIRST_SEEN_S)) in page.url
    filling.write(*aircraft())
    page.reload()  # the address is shared: who opens it sees the same
    expect(page.locator("#panel h2")).to_have_text("DLH9")
    expect(page.locator("#panel")).to_have_attribute("data-points", re.compile("1[2-9]"))
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


def test_they_are_drawn_where_the_api_says_and_along_their_tracks(page: Page, sky: tuple[Reader, Filling]) -> None:
    """A symbol of 26 pixels ends 12 ahead of its place, 10 behind and 11 aside, where its wings are swept back."""
    active, filling = sky
    filling.write(*aircraft(ground_speed_kt=0.0))
    page.goto(f"{active.client.base_url}?still#map=7/47.5/3.3")
    wait_until(lambda: page.evaluate("flightMap.layer.onScreen().length > 5"), what="the aircraft")
    middle, seen = screen(47.5, 3.3), 0
    for one in active.get("/v1/live?bbox=-5,42,12,52")["flights"]:  # asks the store: all of it is from a second ago
        x, y = (there - here for there, here in zip(screen(one["latitude"], one["longitude"]), middle, strict=True))
        if abs(x) > 480 or abs(y) > 330:
            continue
        seen += 1
        ahead, right, behind, left = (radians(one["track_deg"] + turn) for turn in (0, 90, 180, 270))
        points = [(x, y)] + [(x + 11.8 * sin(way), y - 11.8 * cos(way)) for way in (ahead, right, behind, left)]
        opaque = [alpha > 128 for alpha in page.evaluate(ALPHA, points)]
        assert opaque == [True, True, False, False, False], one
    assert seen > 5


def test_a_drag_goes_on_while_the_map_gets_fewer_pixels(page: Page, sky: tuple[Reader, Filling]) -> None:
    """As it does where the processor draws and pictures would come too late: MapLibre ends a drag with a new size."""
    page.goto(f"{sky[0].client.base_url}?drag#map=7/47.5/3.3")
    wait_until(lambda: page.evaluate("flightMap.map.loaded()"), what="the map")
    pixels = page.evaluate(WIDTH)

    def dragged(east_px: int) -> None:
        """Returns when the map has come so far east; at this zoom 512 * 2^7 pixels are the globe."""
        page.mouse.move(500 - east_px, 350, steps=5)
        east = 3.3 + east_px * 360 / (512 * 2**7)
        wait_until(lambda: abs(page.evaluate("flightMap.map.getCenter().lng") - east) < 0.1, what="the map to follow")

    page.mouse.move(500, 350)
    page.mouse.down()
    dragged(100)
    page.evaluate("flightMap.sharpness.reduce(true)")
    assert page.evaluate(WIDTH) < pixels
    dragged(250)
    page.mouse.up()
    wait_until(lambda: page.evaluate(WIDTH) == pixels, what="its pixels to be back at rest")


def test_on_a_phone_the_panel_does_not_cover_the_selected_one(page: Page, sky: tuple[Reader, Filling]) -> None:
    active, filling = sky
    filling.write(*aircraft(ground_speed_kt=0.0))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{active.client.base_url}?phone#map=7/47.5/3.3")
    wait_until(lambda: page.evaluate(f"{LOW} !== undefined"), what="an aircraft where the panel will be")
    page.evaluate(f"flightMap.select({LOW}.aircraft.position.flight_id)")
    wait_until(lambda: page.evaluate(IS_SEEN), what="the map to move it out from beneath the panel")
    page.keyboard.press("Escape")
    page.set_viewport_size(VIEWPORT)


def test_a_stall_shows_the_banner(page: Page, sky: tuple[Reader, Filling]) -> None:
    """Nothing comes any more: the watermark grows old, and the page says for how long."""
    sky[1].stall(20_000)
    expect(page.locator("#banner")).to_contain_text("Nothing new for 2")
    sky[1].write(*aircraft())
    expect(page.locator("#banner")).to_be_hidden()
