"""A real PostgreSQL server on this machine: loopback only, roles and databases made at the first start.

    cache/postgres-<version>/     the programs, unpacked once from the pinned jar
    folder/
      data/                       the cluster, or a link to it
      server.log

PostgreSQL does not run as root: as root we become `nobody` for it. Where `nobody` may not enter the checkout, the
programs and the data lie below `/var/lib/flight-platform` and a link leads there (`Lodging`). What does not belong
here: schemas and migrations (`flight_platform/sql/`).
"""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg

from flight_platform.embedded import maven
from flight_platform.embedded.process import (
    HOST,
    Account,
    EmbeddedServer,
    Launch,
    only_one,
    progress,
    run_from_command_line,
    run_tool,
)
from flight_platform.errors import FlightError

log = logging.getLogger(__name__)

USER = PASSWORD = "flight"  # noqa: S105 - the loopback's own, as the documentation says
DATABASES = ("flight", "dagster")
CONNECT_TIMEOUT_S = 2
UNPRIVILEGED = "nobody"
SHARED_HOME = Path("/var/lib/flight-platform")
# For a throw-away cluster: a crash of the machine may lose it, a crash of the process may not.
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL below a folder. `durable=False` does not wait for the disk: for tests."""

    title: ClassVar[str] = "PostgreSQL"
    usual_port: ClassVar[int] = 15432
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # its fast shutdown; SIGTERM would wait for clients

    def __init__(
        self, folder: Path, port: int, durable: bool = True, cache: Path = maven.CACHE, home: Path = SHARED_HOME
    ) -> None:
        super().__init__(folder, port)
        self.durable = durable
        self._cache = cache.absolute()
        self._home = home
        self._account = Account.named(UNPRIVILEGED) if os.geteuid() == 0 else None

    def url(self, database: str = "flight", user: str = USER) -> str:
        """Where clients connect. The password of every role of this cluster is the role's name."""
        return f"postgresql://{quote(user)}:{quote(user)}@{HOST}:{self.port}/{quote(database)}"

    def prepare(self) -> None:
        """Fetch and unpack the programs; make the cluster, its role and its databases the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._programs()
        self._lodge()
        if not self._data.exists():
            with progress("making a PostgreSQL cluster"):
                self._make_cluster()
        self._configure()

    def launch(self) -> Launch:
        """The server."""
        options = [f"port={self.port}", *(() if self.durable else NOT_DURABLE)]
        return self._run("postgres", "-D", str(self._data), *(f"--{option}" for option in options))

    def answers(self) -> bool:
        """Whether our role gets an answer from our database."""
        try:
            with psycopg.connect(self.url(), connect_timeout=CONNECT_TIMEOUT_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    # Where things lie

    @property
    def _link(self) -> Path:
        return self.folder / "data"

    @property
    def _data(self) -> Path:
        """The cluster's real folder: what `nobody` is told must not lead through ours."""
        return self._link.resolve()

    def _can_enter(self, folder: Path) -> bool:
        """Whether the server's account may enter a folder: asked of the kernel, not reckoned from modes."""
        if self._account is None:
            return True
        entered = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
            cwd="/",
            stderr=subprocess.DEVNULL,
            check=False,
            user=self._account.uid,
            group=self._account.gid,
            extra_groups=[],
        )
        return entered.returncode == 0

    def _lodge(self) -> None:
        """Where `nobody` cannot come to us, let `data` be a link to where it can."""
        if self._link.exists() or self._can_enter(self.folder):
            return
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        lodging = self._reachable_home() / f"data-{name}"
        if lodging.exists() and not self._link.is_symlink():
            # Whoever removed the link (`rm -r var`) wanted a fresh start, as without a lodging.
            _refuse_if_running(lodging)
            shutil.rmtree(lodging)
        log.info("PostgreSQL's account %s may not enter %s: its data lies in %s", UNPRIVILEGED, self.folder, lodging)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(lodging)

    def _reachable_home(self) -> Path:
        self._home.mkdir(parents=True, exist_ok=True)
        self._home.chmod(0o755)
        if not self._can_enter(self._home):
            raise FlightError(
                f"PostgreSQL does not run as root, and its account {UNPRIVILEGED} may enter neither {self.folder} nor"
                f" {self._home}: let it pass (chmod o+x on the folders above), or run as an ordinary user"
            )
        return self._home

    def _programs(self) -> Path:
        """The folder with `bin/postgres`, unpacked once, where the server's account may run it."""
        jars = list(maven.libraries(self._cache).glob("embedded-postgres-binaries-*.jar"))
        if len(jars) != 1:
            raise FlightError(f"{maven.libraries(self._cache)} is not complete: delete it and try again")
        cache = self._cache if self._can_enter(self._cache) else self._reachable_home()
        programs = cache / jars[0].stem.replace("embedded-postgres-binaries-", "postgres-")
        if not programs.is_dir():
            with only_one(cache / "postgres.lock"), progress("unpacking PostgreSQL (60 MB, once)"):
                _unpack(jars[0], programs)
        return programs

    # The cluster

    def _run(self, program: str, *words: str) -> Launch:
        path = self._programs() / "bin" / program
        # The server's account must be able to stand in its working folder.
        return Launch(words=[str(path), *words], folder=path.parent, account=self._account)

    def _make_cluster(self) -> None:
        data = self._data
        half_made = data.with_name(f"{data.name}.new")
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        self._give_away(half_made)
        initdb = ("initdb", "-D", str(half_made), "-U", USER, "-A", "scram-sha-256", "--no-instructions")
        locale = ("--locale-provider=builtin", "--locale=C.UTF-8", "-E", "UTF8")  # no system locale is needed
        sync = () if self.durable else ("--no-sync",)
        remedy = f"check that {data.parent} has room and belongs to you"
        # initdb reads the password from a file alone.
        with tempfile.NamedTemporaryFile("w", dir=data.parent, suffix=".pw") as password:
            password.write(PASSWORD)
            password.flush()
            self._give_away(Path(password.name))
            run_tool(self._run(*initdb, *locale, *sync, f"--pwfile={password.name}"), remedy=remedy)
        statements = "".join(f"CREATE DATABASE {name};\n" for name in DATABASES)
        run_tool(self._run("postgres", "--single", "-D", str(half_made), "postgres"), remedy=remedy, stdin=statements)
        half_made.rename(data)  # the last step: a cluster that is there is complete

    def _configure(self) -> None:
        """Bring our configuration up to date; only what differs from the defaults."""
        for name in ("postgresql.conf", "pg_hba.conf"):
            path = self._data / name
            path.write_text((maven.CONFIGURATION / name).read_text())
            self._give_away(path)

    def _give_away(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


def _refuse_if_running(data: Path) -> None:
    lock = data / "postmaster.pid"
    pid = lock.read_text().splitlines()[0] if lock.exists() else ""
    if pid.isdigit() and (Path("/proc") / pid).exists():
        raise FlightError(f"process {pid} still serves {data}, whose link is gone: end it first (kill -INT {pid})")


def _unpack(jar: Path, programs: Path) -> None:
    if programs.is_dir():  # somebody else did while we waited
        return
    scratch = Path(tempfile.mkdtemp(prefix="unpacking-", dir=programs.parent))
    try:
        with zipfile.ZipFile(jar) as outer:
            name = next(name for name in outer.namelist() if name.endswith(".txz"))
            with outer.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as inner:
                inner.extractall(scratch, filter="data")
        for inside in (scratch, *(path for path in scratch.rglob("*") if path.is_dir())):
            inside.chmod(0o755)  # the server's account must come in, whatever our umask
        scratch.rename(programs)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    run_from_command_line(EmbeddedPostgres, "PostgreSQL on this machine's loopback.")
