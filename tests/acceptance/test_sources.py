"""The promise: every source of the field is understood, and any number of feeds run at once. Held to recordings."""

import csv
import gzip
import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from flight_platform import kafka
from flight_platform.codec import decode
from flight_platform.kafka import headers_of
from flight_platform.model import Position
from flight_platform.names import TOPIC_DEAD_LETTERS, TOPIC_REPORTS, Header
from flight_platform.settings import Settings
from streaming.sifting import Limits, sift
from streaming.sources import open_source
from streaming.sources.base import Refused
from tests.processes import CHECKOUT, new_settings, records

pytestmark = pytest.mark.acceptance

SBS: Final = "sbs/dump1090-30003-japan-20220108.csv"
OPENSKY: Final = "opensky/states_1634471390.json.gz"
BEAST: Final = "beast/ulss-20180403.beast"
BEAST_START: Final = "2018-04-03T19:02:28.136Z"


def fed(kind: str, file: Path, **options: Any) -> tuple[list[Position], list[Refused]]:
    """What a feed takes of a recording, and what it refuses."""
    settings = Settings.read()
    limits, taken, refused = Limits.of(settings, backfill=True), list[Position](), list[Refused]()
    for batch in open_source(kind, settings, file=file, **options).batches(threading.Event()):
        positions, refusals = sift(batch, kafka.now_ms(), limits)
        taken += positions
        refused += refusals
    return taken, refused


def test_the_sbs_capture_across_midnight(shared_data: Path) -> None:
    taken, refused = fed("sbs", shared_data / SBS, timezone="Asia/Tokyo")
    assert refused == []
    assert (len(taken), len({p.icao24 for p in taken})) == (4_884, 15)
    local_days = {(p.time + 9 * 3_600_000) // 86_400_000 for p in taken}
    assert len(local_days) == 2
    times = [p.time for p in taken]
    assert max(times) - min(times) < 2.5 * 3_600_000
    assert all(later - earlier > -5_000 for earlier, later in itertools.pairwise(times))


def test_the_opensky_answer_of_the_globe(shared_data: Path) -> None:
    states = json.loads(gzip.decompress((shared_data / OPENSKY).read_bytes()))["states"]
    placed = [state for state in states if None not in (state[3], state[5], state[6])]
    taken, refused = fed("opensky", shared_data / OPENSKY)
    assert len(placed) == len(taken) + len(refused)
    absurd = {state[0] for state in placed if (state[10] or 0) < 0 or abs(state[11] or 0) > 166}
    assert {json.loads(one.original)[0] for one in refused} == absurd
    assert all(one.reason == "out_of_range" and "possible is" in one.detail for one in refused)
    assert {p.icao24 for p in taken} | absurd == {state[0] for state in placed}


def test_the_traces_of_a_day_by_time(shared_data: Path) -> None:
    taken, refused = fed("replay", shared_data / "readsb/traces")
    files = list((shared_data / "readsb/traces").iterdir())
    rows = sum(len(json.loads(gzip.decompress(file.read_bytes()))["trace"]) for file in files)
    assert refused == []
    assert (len(taken), len({p.icao24 for p in taken})) == (rows, len(files))
    assert [p.time for p in taken] == sorted(p.time for p in taken)


def test_many_feeds_at_once(kafka_bootstrap: str, shared_data: Path, tmp_path: Path) -> None:
    settings = new_settings(kafka_bootstrap)
    commands = [
        ["beast", "--file", str(shared_data / BEAST), "--start", BEAST_START],
        ["sbs", "--file", str(shared_data / SBS), "--timezone", "Asia/Tokyo"],
        ["sbs", "--file", str(shared_data / SBS), "--timezone", "Asia/Tokyo", "--name", "sbs-2"],
        ["opensky", "--file", str(shared_data / OPENSKY)],
        ["replay", str(shared_data / "readsb/traces"), "--name", "traces"],
    ]
    program = [sys.executable, "-m", "cli.main", "feed"]
    environment = settings.environment() | {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        feeds = [
            subprocess.Popen([*program, *command, "--backfill"], cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
            for command in commands
        ]
        assert [feed.wait(90) for feed in feeds] == [0] * len(feeds), (tmp_path / "log").read_text()
    counts = Counter(decode(record.value() or b"").source for record in records(settings, TOPIC_REPORTS))
    assert counts == {"beast": 728, "sbs": 4_884, "sbs-2": 4_884, "opensky": 5_374, "traces": 1_230}
    refused = [headers_of(record) for record in records(settings, TOPIC_DEAD_LETTERS)]
    assert Counter(header[Header.SOURCE] for header in refused) == {"opensky": 10}
    assert all(header[Header.REASON] and header[Header.DETAIL] for header in refused)


def test_the_beast_capture_in_one_process_without_servers(shared_data: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "feed", "beast", "--file", str(shared_data / BEAST)]
    done = subprocess.run(
        [*command, "--start", BEAST_START, "--dry-run"], cwd=CHECKOUT, capture_output=True, check=True, timeout=60
    )
    positions = [json.loads(line) for line in done.stdout.splitlines()]
    with (shared_data / "beast/ulss-20180403.rs1090.csv").open(newline="") as stream:
        reference = [row for row in csv.DictReader(stream) if row["latitude"]]
    ours = {(p["icao24"], round(p["latitude"], 4), round(p["longitude"], 3)) for p in positions}
    missing = [
        row
        for row in reference
        if (row["icao24"], round(float(row["latitude"]), 4), round(float(row["longitude"]), 3)) not in ours
    ]
    assert len(reference) == 698
    assert missing == []
