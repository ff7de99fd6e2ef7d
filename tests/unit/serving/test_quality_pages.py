"""Data Docs under /quality of the history API: pages where this machine has them, and nothing from elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

from checks import data_docs
from flight_platform.settings import Settings
from serving.history import make_history
from tests.unit.serving.asking import ask
from tests.unit.serving.test_history import FakeHistory

HOUR = datetime(2026, 1, 31, 22, tzinfo=UTC)
PAGE = '<html><head></head><body><script src="https://x.example/x.js"></script><h4>altitude_ft</h4></body></html>'


def test_a_page_is_where_its_address_says(tmp_path: Path) -> None:
    settings = Settings.read(var=tmp_path)
    app = make_history(settings, FakeHistory())
    assert ask(app, "/quality/").status_code == 404  # nothing was judged yet
    address = data_docs.publish(settings, data_docs.hour_page(HOUR), "2026-01-31 22:00 UTC", PAGE, passed=False)
    assert address == "http://127.0.0.1:8082/quality/hours/2026-01-31T22.html"
    answer = ask(app, "/quality/hours/2026-01-31T22.html")
    assert (answer.status_code, "x.example" in answer.text) == (200, False)
    assert "<h4>altitude_ft</h4>" in answer.text
    data_docs.publish_index(
        settings,
        [
            {
                "hour": HOUR,
                "passed": False,
                "presence": "filled",
                "rows": 9,
                "failures": [{"name": "altitude_ft is possible", "observed": "<3> of 9"}],
                "accepted_at": None,
            }
        ],
    )
    index = ask(app, "/quality/").text
    assert '<a href="hours/2026-01-31T22.html">2026-01-31 22:00</a>' in index
    assert "altitude_ft is possible: &lt;3&gt; of 9" in index


def test_where_people_reach_them_can_be_set(tmp_path: Path) -> None:
    settings = Settings.read(var=tmp_path, quality_url="https://flights.example/quality/")
    address = data_docs.publish(settings, "flights.html", "Flights", PAGE, passed=True)
    assert address == "https://flights.example/quality/flights.html"
