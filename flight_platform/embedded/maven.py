"""Fetches the pinned servers of `deploy/embedded/pom.xml` into a cache, once.

    pom.xml ──(hash)──► var/embedded/libraries-<hash>/*.jar        complete, or not there at all

What does not belong here: what is done with the jars (`kafka.py`, `postgres.py`).
"""

import hashlib
import platform
import shutil
import tempfile
from pathlib import Path

from flight_platform.embedded.process import Launch, only_one, progress, require_tool, run_tool
from flight_platform.errors import FlightError, ToolMissingError

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIGURATION = CHECKOUT / "deploy" / "embedded"
CACHE = CHECKOUT / "var" / "embedded"
# How the PostgreSQL artifacts name the machines that the kernel names so.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64v8"}


def architecture() -> str:
    """This machine as the PostgreSQL artifacts name it."""
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in ARCHITECTURES:
        raise ToolMissingError(
            f"there are no embedded servers for {platform.system()} on {machine}: run Kafka and PostgreSQL yourself"
            " and set FLIGHT_KAFKA_BOOTSTRAP and FLIGHT_POSTGRES_URL"
        )
    return ARCHITECTURES[machine]


def libraries(cache: Path = CACHE, pom: Path = CONFIGURATION / "pom.xml") -> Path:
    """The folder with all jars, fetched if need be. Two processes may ask at once: one fetches, one waits."""
    if not pom.is_file():
        raise FlightError(f"{pom} is missing: the embedded servers run from a checkout of the repository")
    folder = cache / f"libraries-{_fingerprint(pom)}"
    if folder.is_dir():
        return folder
    with only_one(cache / "libraries.lock"):
        if not folder.is_dir():
            _fetch(pom, folder)
    return folder


def _fingerprint(pom: Path) -> str:
    return hashlib.sha256(pom.read_bytes() + architecture().encode()).hexdigest()[:12]


def _fetch(pom: Path, folder: Path) -> None:
    require_tool("java", "openjdk-17-jre-headless")
    maven = require_tool("mvn", "maven")
    scratch = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    words = [
        maven,
        "--quiet",
        "--batch-mode",
        f"--file={pom}",
        f"-Dpostgres.architecture={architecture()}",
        f"-DoutputDirectory={scratch}",
        "-DincludeScope=runtime",
        "dependency:copy-dependencies",
    ]
    try:
        with progress("fetching Apache Kafka and PostgreSQL with Maven (60 MB, once)"):
            run_tool(
                Launch(words=words, folder=folder.parent),
                remedy="check that Maven reaches its repository (~/.m2/settings.xml names a mirror), then try again",
            )
        scratch.chmod(0o755)  # other accounts may run what lies here
        scratch.rename(folder)  # the last step: the folder is there only when it is complete
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
