"""Real servers for the tests: on free ports of the loopback, in folders of their own, gone afterwards.

    kafka_bootstrap     one broker for the session: name your topics and groups yourself
    postgres_server     one cluster for the session: make a database of your own in it
    live_server         an empty live server for each test, once as the stand-in and once as Tile38
    shared_data         the recorded samples beside the checkout

Nothing heavy happens at import: a server is started when the first test asks for it. What does not belong here:
clients, schemas and sample records, which stand with the tests that need them.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from flight_platform.embedded.kafka import EmbeddedKafka
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.embedded.process import free_port
from flight_platform.embedded.tile38 import PROGRAM, EmbeddedLive, Kind

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED_DATA = CHECKOUT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undoes what an entry point that a test calls has configured: its stream is gone after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def nothing_of_dagster_is_left() -> Iterator[None]:
    """Forgets the storage that some of Dagster's contexts leave behind: the instance is gone, and the next test that
    resolves definitions, in whatever file, would trip over it."""
    yield
    if storage := sys.modules.get("dagster._core.storage.defs_state.base"):
        storage._current_storage.set(None)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that other accounts may pass, which pytest's own is not: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="flight-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def kafka_bootstrap(server_folder: Path) -> Iterator[str]:
    """Where clients of the session's broker connect."""
    with EmbeddedKafka(server_folder / "kafka", free_port()) as kafka:
        yield kafka.bootstrap


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[EmbeddedPostgres]:
    """The session's PostgreSQL, which does not wait for the disk."""
    with EmbeddedPostgres(server_folder / "postgres", free_port(), durable=False) as postgres:
        yield postgres


@pytest.fixture(params=["stand-in", "tile38"])
def live_kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the two live servers in turn; what passes with one must pass with the other."""
    kind: Kind = request.param
    if kind == "tile38" and shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is not on PATH: this test ran against the embedded live server alone")
    return kind


@pytest.fixture
def live_server(live_kind: Kind, tmp_path: Path) -> Iterator[EmbeddedLive]:
    """A live server of that kind, with nothing in it."""
    with EmbeddedLive(tmp_path / "live", free_port(), live_kind) as live:
        yield live


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded samples: real feeds, and transcripts of Tile38."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the recorded samples are not there: {SHARED_DATA} is missing")
    return SHARED_DATA
