"""`flight doctor`: what is set, what is installed, what answers, and what to do about what does not."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.output import say, say_json, table
from flight_platform.errors import FlightError

if TYPE_CHECKING:
    from flight_platform.settings import Settings

_PACKAGES: Final = ("flight-platform", "dagster", "dagster-postgres", "confluent-kafka", "protobuf", "redis", "psycopg")
_OLDEST_JAVA: Final = 17  # Kafka 4 brokers run on 17 and later
_SECRET: Final = "***"  # noqa: S105  # what is shown instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what it is, whether it is well, and what to do where it is not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True  # False: the platform does without


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Looks at settings, tools and servers, and says what to do about each failure."""
    from flight_platform.settings import Settings

    settings = Settings.read()
    shown = shown_settings(settings)
    versions = {name: _version(name) for name in _PACKAGES}
    findings = [*tools(settings), *servers(settings), edge(settings), *alerting(settings)]
    failed = [finding for finding in findings if not finding.ok and finding.needed]
    if as_json:
        say_json(
            {
                "ok": not failed,
                "settings": shown,
                "versions": {"python": sys.version.split()[0], **versions},
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        _say_all(shown, versions, findings)
    if failed:
        raise typer.Exit(1)


def _say_all(shown: dict[str, dict[str, Any]], versions: dict[str, str], findings: list[Finding]) -> None:
    say(table(["setting", "value", "from"], [[name, item["value"], item["from"]] for name, item in shown.items()]))
    say()
    say("  ".join([f"python {sys.version.split()[0]}", *(f"{name} {number}" for name, number in versions.items())]))
    say()
    marks = {True: "ok", False: "FAILED"}
    rows = [[f.name, marks[f.ok] if f.needed or f.ok else "absent", f.found] for f in findings]
    say(table(["what", "state", "found"], rows))
    for finding in findings:
        if not finding.ok and finding.remedy:
            say(f"\n{finding.name}: {finding.remedy}")


def shown_settings(settings: "Settings") -> dict[str, dict[str, Any]]:
    """Every setting by its environment variable, secrets masked, and where its value comes from."""
    from pydantic import SecretStr

    from cli.addresses import masked
    from flight_platform.settings import PREFIX

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, SecretStr):
            text = value.get_secret_value()
            return masked(text) if "://" in text else _SECRET
        if name == "alert_urls":  # apprise hides tokens anywhere in an address: only the kind is shown
            return ", ".join(f"{part.partition('://')[0]}://{_SECRET}" for part in value) or None
        if isinstance(value, tuple):
            return ", ".join(masked(str(part)) for part in value)
        if isinstance(value, str) and "://" in value:
            return masked(value)
        return value if value is None or isinstance(value, int | float) else str(value)

    shown = {}
    for name in type(settings).model_fields:
        variable = f"{PREFIX}{name.upper()}"
        origin = "environment" if variable in os.environ else "file" if name in settings.model_fields_set else "default"
        shown[variable] = {"value": plain(name, getattr(settings, name)), "from": origin}
    return shown


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def tools(settings: "Settings") -> list[Finding]:
    """The programs that the embedded servers need."""
    from cli.programs import embedded_servers

    embedded = {program.name.partition("-")[0] for program in embedded_servers(settings)}
    found = [
        _tool(
            "java", ("java", "-version"), "install Java 17 or later: apt install openjdk-17-jre-headless", _java_problem
        ),
        _tool("mvn", ("mvn", "-v"), "install Maven: apt install maven (it fetches Kafka and Postgres once)"),
    ]
    if "kafka" not in embedded and "postgres" not in embedded:
        found = [Finding(**(asdict(finding) | {"needed": False})) for finding in found]
    path = shutil.which("tile38-server")
    remedy = "the embedded live server stands in; for Tile38 itself put tile38-server on PATH or set FLIGHT_TILE38_URLS"
    return [*found, Finding(name="tile38-server", ok=bool(path), found=path or "-", remedy=remedy, needed=False)]


def _tool(
    name: str, command: tuple[str, ...], remedy: str, problem_of: Callable[[str], str | None] = lambda _: None
) -> Finding:
    if shutil.which(name) is None:
        return Finding(name=name, ok=False, found="-", remedy=remedy)
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    output = (done.stdout + done.stderr).strip()
    line = re.sub(r"\x1b\[[0-9;]*m", "", output.splitlines()[0]) if output else "-"
    problem = f"{name} fails: {line}" if done.returncode else problem_of(output)
    return Finding(name=name, ok=problem is None, found=line, remedy=f"{problem}; {remedy}" if problem else remedy)


def _java_problem(output: str) -> str | None:
    match = re.search(r'version "(\d+)', output)
    if match is None or int(match[1]) < _OLDEST_JAVA:
        return f"Java {match[1] if match else 'of unknown version'} is too old"
    return None


def servers(settings: "Settings") -> list[Finding]:
    """Kafka, Postgres and the live servers: does each answer, and what is it?"""
    start = "start it with `flight up`, or name a running one in "
    found = [
        _answer("Kafka", lambda: kafka_answer(settings), f"{start}FLIGHT_KAFKA_BOOTSTRAP"),
        _answer(
            "Postgres", lambda: postgres_answer(settings.postgres_url.get_secret_value()), f"{start}FLIGHT_POSTGRES_URL"
        ),
        _answer(
            "Postgres as analyst",
            lambda: postgres_answer(settings.analyst_url.get_secret_value()),
            "`flight migrate` makes the role; FLIGHT_ANALYST_URL names it",
        ),
    ]
    for number, url in enumerate(settings.tile38_urls, 1):
        found.append(_answer(f"live {number}", lambda url=url: live_answer(url), f"{start}FLIGHT_TILE38_URLS"))  # type: ignore[misc]
    return found


def edge(settings: "Settings") -> Finding:
    """HAProxy; without it each API is asked on its own port."""
    from cli.programs import haproxy, has_edge
    from cli.readiness import answers_ok

    path = haproxy()
    if path is None:
        remedy = (
            "install it (Debian: apt install haproxy openssl): `flight up` starts it, with two instances of each API"
        )
        return Finding(name="edge", ok=False, found="no haproxy", remedy=remedy, needed=False)
    url = f"http://127.0.0.1:{settings.edge_port}/healthz"
    ok = has_edge(settings) and answers_ok(url)
    remedy = "start it with `flight up`; `flight logs edge` says why it does not run"
    return Finding(name="edge", ok=ok, found=f"{path}, {url}", remedy=remedy, needed=False)


def alerting(settings: "Settings") -> list[Finding]:
    """Who is told of alerts, and what of Prometheus and Alertmanager is on; the platform does without all of it."""
    from cli.addresses import masked
    from cli.programs import ALERTMANAGER, PROMETHEUS, alertmanager_url

    install = "install both (Debian: apt install prometheus prometheus-alertmanager): `flight up` starts them"
    found = [
        Finding(name=program, ok=bool(path := shutil.which(program)), found=path or "-", remedy=install, needed=False)
        for program in (PROMETHEUS, ALERTMANAGER)
    ]
    hub = alertmanager_url(settings)
    if hub is not None:
        remedy = "start it (`flight up` does where no other is named); FLIGHT_ALERT_URLS are told meanwhile"
        answer = _answer("Alertmanager", lambda: hub_answer(hub), remedy)
        found.append(Finding(**(asdict(answer) | {"needed": settings.alertmanager_url is not None})))
    receivers = len(settings.alert_urls)
    told = f"Alertmanager at {masked(hub)}" if hub else ""
    if receivers:
        told += f"{', then ' if hub else ''}{receivers} addresses of FLIGHT_ALERT_URLS"
    remedy = "set FLIGHT_ALERTMANAGER_URL or FLIGHT_ALERT_URLS; `flight status` and Dagster show incidents in any case"
    found.append(Finding(name="alerts go to", ok=bool(told), found=told or "nobody", remedy=remedy, needed=False))
    return found


def hub_answer(url: str) -> str:
    """Version of an Alertmanager, and what is silenced in it."""
    from cli.readiness import answers_json

    about = answers_json(f"{url}/api/v2/status")
    silences = [one for one in answers_json(f"{url}/api/v2/silences") if one["status"]["state"] == "active"]
    shown = f"; silenced: {', '.join(_silence(one) for one in silences)}" if silences else "; no silences"
    return f"Alertmanager {about['versionInfo']['version']}{shown}"


def _silence(silence: dict[str, Any]) -> str:
    matchers = " ".join(f"{m['name']}{'=' if m['isEqual'] else '!='}{m['value']}" for m in silence["matchers"])
    return f"{matchers} until {silence['endsAt'][:16]}Z ({silence['comment']})"


def _answer(name: str, ask: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name=name, ok=True, found=ask())
    except FlightError as error:
        return Finding(name=name, ok=False, found=str(error).partition(". Start ")[0], remedy=remedy)


def kafka_answer(settings: "Settings") -> str:
    """What the cluster says of itself."""
    from confluent_kafka import KafkaException

    from cli.topics import TOPICS, unavailable
    from flight_platform import kafka

    try:
        listed = kafka.admin(settings).list_topics(timeout=3)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    missing = [name for name in map(settings.topic, TOPICS) if name not in listed.topics]
    problem = f"; topics missing: {', '.join(missing)} (`flight topics create`)" if missing else ""
    return f"{len(listed.brokers)} broker at {settings.kafka_bootstrap}, {len(listed.topics)} topics{problem}"


def postgres_answer(url: str) -> str:
    """Version and user."""
    from cli.postgres import connected, where

    with connected(url) as connection:
        row = connection.execute("SELECT current_user, current_setting('server_version')").fetchone()
    user, number = row or ("?", "?")
    return f"PostgreSQL {number} at {where(url)} as {user}"


def live_answer(url: str) -> str:
    """What kind of live server answers: Tile38, or the embedded one that stands in."""
    import redis

    from cli.addresses import masked
    from flight_platform.errors import ServerUnavailableError

    client = redis.Redis.from_url(
        url, socket_connect_timeout=3, socket_timeout=3, decode_responses=True, protocol=2, driver_info=None
    )
    try:
        facts = client.execute_command("SERVER")  # type: ignore[no-untyped-call]
    except redis.RedisError as error:
        raise ServerUnavailableError(f"{masked(url)} does not answer ({str(error).partition('. ')[0]})") from error
    finally:
        client.close()
    return f"{_live_kind(facts)} at {masked(url)}"


def _live_kind(facts: Any) -> str:
    pairs = dict(zip(facts[::2], facts[1::2], strict=False)) if isinstance(facts, list) else dict(facts or {})
    number = pairs.get("version", "")
    # The stand-in says so in its version; Tile38 gives a bare number.
    return f"embedded live server {number}" if "embedded" in str(pairs).lower() else f"Tile38 {number}".rstrip()
