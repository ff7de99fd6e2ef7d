"""`flight up|down|logs`: the whole platform on this machine, under a process manager."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.output import say, table
from flight_platform.errors import FlightError

if TYPE_CHECKING:
    from cli.programs import Program
    from cli.supervisor import Supervisor
    from flight_platform.settings import Settings

_STOP_TIMEOUT_S: Final = 60.0
_HELPERS_TIMEOUT_S: Final = 3.0
_POLL_S: Final = 0.1


def up(
    *,
    demo: Annotated[bool, typer.Option("--demo", help="With recordings: a past of 17 hours, and a present.")] = False,
) -> None:
    """Starts everything on this machine: servers, consumers, APIs, Dagster."""
    from cli.programs import programs
    from cli.supervisor import Supervisor
    from flight_platform.settings import Settings

    settings = Settings.read()
    if demo and "archive_after_h" not in settings.model_fields_set:
        settings = settings.model_copy(update={"archive_after_h": 0.1})  # yesterday is to be seen in the archive today
    supervisor = Supervisor(settings)
    if supervisor.running():
        _up_already(settings, supervisor, demo=demo)
        return
    from cli.demo_run import present_program

    feeds = (present_program(settings),) if demo else ()
    try:
        _bring_up(settings, supervisor, programs(settings, feeds), demo=demo)
    except (FlightError, KeyboardInterrupt) as error:
        if supervisor.running():
            say("stopping what was started")
            stop_everything(supervisor)
        if isinstance(error, KeyboardInterrupt):
            raise FlightError("interrupted: nothing runs") from None
        raise


def _bring_up(settings: "Settings", supervisor: "Supervisor", programs: "list[Program]", *, demo: bool) -> None:
    from cli import bring_up, demo_run
    from cli.demo import ATTRIBUTION, fetch
    from cli.progress import Progress

    progress = Progress()
    bring_up.check(settings, programs)
    paths: dict[str, Path] = {}
    if demo:
        with progress.step("recordings"):
            paths = fetch(settings.var.resolve() / "downloads")
        for line in ATTRIBUTION:
            progress.note(line)
    servers = bring_up.prepare(settings, programs, progress)
    supervisor.start(programs)
    bring_up.start_servers(servers, programs, supervisor, progress)
    bring_up.lay_out(settings, progress)
    bring_up.start_group("consumers", programs, supervisor)
    bring_up.start_group("apis", programs, supervisor)
    bring_up.start_group("edge", programs, supervisor)
    if demo:
        demo_run.load_pasts(settings, supervisor, paths, progress)
    bring_up.start_group("feeds", programs, supervisor)
    bring_up.wait_for_data_plane(settings, programs, supervisor, progress)
    if demo:
        demo_run.spoil_an_hour_once(settings, progress)
    bring_up.start_group("control", programs, supervisor)
    if demo:
        (feed,) = (program for program in programs if program.group == "feeds")
        demo_run.wait_for_present(settings, feed, supervisor, progress)
        progress.note(f"the first position was seen {progress.elapsed_s:.0f} s after the start")
    bring_up.wait_for_dagster(settings, supervisor, progress)
    bring_up.start_group("monitoring", programs, supervisor)
    _farewell(settings)


def _farewell(settings: "Settings") -> None:
    from cli.addresses import addresses

    say()
    say(table(["what", "where"], list(addresses(settings).items())))
    active = f"http://127.0.0.1:{settings.active_port}"
    say("\nTry:")
    say("  flight status --watch          how every hop is, second by second")
    say("  flight stall 30                the sources fall silent: watch the alert come and go")
    say("  flight hours list --red        hours that failed their checks, and what an operator does about them")
    say('  flight sql "SELECT hour, count(*) FROM positions GROUP BY hour ORDER BY hour"')
    say(f"  curl -s '{active}/v1/live?bbox=1,48,4,50'")
    say("                                 who is around Paris now; both APIs explain themselves at /docs")
    say("\n`flight down` stops it all. (`flight` is .venv/bin/flight: `source .venv/bin/activate` puts it on PATH.)")


def _up_already(settings: "Settings", supervisor: "Supervisor", *, demo: bool) -> None:
    states = supervisor.states()
    down = [state for state in states if state.state not in {"RUNNING", "STARTING"}]
    say(f"the platform runs already ({len(states) - len(down)} of {len(states)} programs)")
    for state in down:
        problem = f" ({state.problem})" if state.problem else ""
        say(f"  {state.name} is {state.state.lower()}{problem}: see `flight logs {state.name}`")
    if demo and not any(state.group == "feeds" for state in states):
        say("it runs without the demonstration: `flight down`, then `flight up --demo`")
    _farewell(settings)


def down() -> None:
    """Stops everything that `flight up` started, and waits until it is gone."""
    from cli.supervisor import Supervisor
    from flight_platform.settings import Settings

    supervisor = Supervisor(Settings.read())
    if not supervisor.running():
        say("nothing runs")
        return
    began = time.monotonic()
    stop_everything(supervisor)
    say(f"all is stopped ({time.monotonic() - began:.1f} s)")


def stop_everything(supervisor: "Supervisor") -> None:
    """Feeds, APIs, consumers, Dagster, servers: group by group, then the process manager itself."""
    from cli.processes import Identity, descendants
    from cli.programs import START_ORDER

    ours = [p for p in map(Identity.of, [supervisor.pid(), *descendants(supervisor.pid())]) if p is not None]
    for group in reversed(START_ORDER):
        members = [state.name for state in supervisor.states() if state.group == group and state.pid]
        if members:
            say(f"  stopping {group}: {', '.join(members)}")
        supervisor.stop_group(group)
        _wait(lambda group=group: not any(s.pid for s in supervisor.states() if s.group == group), group)  # type: ignore[misc]
    with suppress(OSError):
        supervisor.shutdown()
    _wait(lambda: not ours[0].runs(), "the process manager")
    # Helpers of a program may outlive it (a run of Dagster does): they get a moment, then they are ended.
    with suppress(FlightError):
        _wait(lambda: not any(p.runs() for p in ours), "the helpers", _HELPERS_TIMEOUT_S)
    for helper in ours:
        helper.kill()
    _wait(lambda: not any(p.runs() for p in ours), "a helper that was killed")


def _wait(done: Callable[[], bool], what: str, timeout_s: float = _STOP_TIMEOUT_S) -> None:
    end = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > end:
            raise FlightError(f"{what} did not stop within {timeout_s:g} s; `flight status` shows what is left")
        time.sleep(_POLL_S)


def logs(
    name: Annotated[
        str | None, typer.Argument(metavar="[PROGRAM]", help="As `flight status` names it; all if not given.")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="The last so many.", min=0)] = 20,
) -> None:
    """Shows the logs of the programs."""
    from flight_platform.settings import Settings

    folder = Settings.read().var.resolve() / "log"
    paths = [folder / f"{name}.log"] if name else sorted(folder.glob("*.log"))
    if not paths or not paths[0].exists():
        there = ", ".join(path.stem for path in sorted(folder.glob("*.log")))
        raise FlightError(
            f"there is no log of {name or 'any program'} in {folder}" + (f"; there are: {there}" if there else "")
        )
    places = {path: _show_end(path, lines, prefix=name is None) for path in paths}
    with suppress(KeyboardInterrupt):
        while follow:
            time.sleep(0.3)
            places = {path: _show_new(path, place, prefix=name is None) for path, place in places.items()}


def _show_end(path: Path, lines: int, *, prefix: bool) -> int:
    with path.open(errors="replace") as log:
        for line in deque(log, maxlen=lines):
            _show_line(path, line, prefix=prefix)
        return log.tell()


def _show_new(path: Path, place: int, *, prefix: bool) -> int:
    if path.stat().st_size < place:  # it was rotated: a new file begins
        place = 0
    with path.open(errors="replace") as log:
        log.seek(place)
        for line in log:
            _show_line(path, line, prefix=prefix)
        return log.tell()


def _show_line(path: Path, line: str, *, prefix: bool) -> None:
    say((f"{path.stem:<14} | " if prefix else "") + line.rstrip("\n"))
