"""The cluster is what the platform counts on, whoever starts it and wherever the checkout lies."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from flight_platform.embedded.maven import libraries
from flight_platform.embedded.postgres import UNPRIVILEGED, EmbeddedPostgres
from flight_platform.embedded.process import HOST, free_port, is_listening
from flight_platform.errors import FlightError

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root does: run the tests as root too")


def ask(server: EmbeddedPostgres, question: str, database: str = "flight") -> object:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None


def do(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def barred(server_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder that only root may enter, as a checkout below /root is."""
    folder = tmp_path / "barred"
    folder.mkdir(mode=0o700)
    usual = os.umask(0o077)  # as careful administrators set it
    yield folder
    os.umask(usual)
    shutil.rmtree(server_folder / "home", ignore_errors=True)


@pytest.mark.parametrize("database", ["flight", "dagster"])
def test_both_databases_are_there_in_utf8(postgres_server: EmbeddedPostgres, database: str) -> None:
    assert ask(postgres_server, "SELECT current_setting('server_encoding')", database) == "UTF8"
    question = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()"
    assert ask(postgres_server, question, database) == "b C.UTF-8"


def test_the_role_may_do_everything_and_needs_its_password(postgres_server: EmbeddedPostgres) -> None:
    assert ask(postgres_server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
    wrong = postgres_server.url().replace(":flight@", ":guess@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_it_listens_to_this_machine_alone(postgres_server: EmbeddedPostgres) -> None:
    assert ask(postgres_server, "SELECT current_setting('listen_addresses')") == HOST
    assert ask(postgres_server, "SELECT current_setting('unix_socket_directories')") == ""


def test_our_settings_are_in_effect_without_errors(postgres_server: EmbeddedPostgres) -> None:
    assert ask(postgres_server, "SELECT current_setting('max_connections')") == "100"
    assert ask(postgres_server, "SELECT current_setting('fsync')") == "off"
    assert ask(postgres_server, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == 0


@as_root
def test_root_becomes_somebody_else_for_it(postgres_server: EmbeddedPostgres) -> None:
    pid = ask(postgres_server, "SELECT pg_backend_pid()")
    assert Path(f"/proc/{postgres_server.pid}").stat().st_uid == pwd.getpwnam(UNPRIVILEGED).pw_uid
    assert isinstance(pid, int)


def test_what_was_committed_survives_a_crash(server_folder: Path) -> None:
    with EmbeddedPostgres(server_folder / "postgres-crash", free_port()) as server:
        assert ask(server, "SELECT current_setting('fsync')") == "on"
        do(server, "CREATE TABLE kept AS SELECT 7 AS seven")
        server.kill()
        assert not is_listening(server.port)
        server.start()
        server.wait_ready()
        assert ask(server, "SELECT seven FROM kept") == 7


def test_a_cluster_that_was_not_finished_is_made_again(server_folder: Path) -> None:
    folder = server_folder / "postgres-half"
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("half")
    with EmbeddedPostgres(folder, free_port(), durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not (folder / "data.new").exists()


@as_root
def test_a_checkout_that_only_root_may_enter_is_no_obstacle(barred: Path, server_folder: Path) -> None:
    folder, home, cache = barred / "postgres", server_folder / "home", barred / "cache"
    # The programs, too, lie where only root may go.
    cache.mkdir()
    jars = libraries()
    (cache / jars.name).symlink_to(jars)

    def server() -> EmbeddedPostgres:
        return EmbeddedPostgres(folder, free_port(), durable=False, cache=cache, home=home)

    with server() as first:
        do(first, "CREATE TABLE kept AS SELECT 7 AS seven")
    assert (folder / "data").readlink().parent == home
    with server() as second:
        assert ask(second, "SELECT seven FROM kept") == 7
    # Who removes the folder wants a fresh start.
    shutil.rmtree(folder)
    with server() as third:
        assert ask(third, "SELECT to_regclass('kept')") is None
        third.folder.joinpath("data").unlink()
        with pytest.raises(FlightError, match="kill -INT"):
            server().prepare()


@as_root
def test_where_nobody_can_go_anywhere_it_says_what_to_do(barred: Path) -> None:
    with pytest.raises(FlightError, match=r"chmod o\+x"):
        EmbeddedPostgres(barred / "postgres", free_port(), home=barred / "home").prepare()


@as_root
def test_an_ordinary_user_needs_no_other(postgres_server: EmbeddedPostgres, server_folder: Path) -> None:
    folder = server_folder / "ordinary"
    folder.mkdir()
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    code = (
        "import psycopg; from pathlib import Path\n"
        "from flight_platform.embedded.postgres import EmbeddedPostgres\n"
        f"with EmbeddedPostgres(Path({str(folder)!r}) / 'postgres', {free_port()}, durable=False) as server:\n"
        "    with psycopg.connect(server.url()) as connection:\n"
        "        print(connection.execute('SELECT 7').fetchone()[0])"
    )
    # It may read everything, since this Python and the checkout may lie where only root can go.
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    if subprocess.run([*become, sys.executable, "-V"], capture_output=True, check=False).returncode:
        pytest.skip("setpriv cannot give an ordinary user the right to read this Python")
    done = subprocess.run(
        [*become, sys.executable, "-c", code],
        cwd=CHECKOUT,
        env={**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "7\n", done.stderr


def test_in_the_foreground_signals_reach_the_server(server_folder: Path) -> None:
    port = free_port()
    words = [sys.executable, "-m", "flight_platform.embedded.postgres", "--port", str(port)]
    with subprocess.Popen(
        [*words, "--folder", str(server_folder / "foreground")],
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not is_listening(port):
                assert process.poll() is None, "it ended"
                assert time.monotonic() < deadline, "it did not come up"
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "database system is shut down" in said
