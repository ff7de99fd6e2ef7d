"""The `flight` command: puts the groups of commands together, and turns errors into one clear line.

One module per group of commands; each imports what it runs inside its functions, so that `flight --help` is quick and
`flight track` knows nothing of Dagster. What a command does is the matter of the modules below `cli`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from cli import (
    archive,
    backfill,
    block_list,
    compact,
    dead_letters,
    doctor,
    edge_write,
    forget,
    gaps,
    grow_topics,
    hours,
    keys,
    lifecycle,
    partitions,
    reference,
    replay_dead_letters,
    sql,
    stages,
    stall,
    status,
    stores,
)
from cli.output import fail
from flight_platform.errors import FlightError, SettingsError

EXIT_FAILURE = 1
EXIT_SETTINGS = 2

app = typer.Typer(
    name="flight",
    help="A platform for live and historical aircraft positions: one command for all of it.",
    epilog="Begin with: flight up --demo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _before_every_command() -> None:
    """Says warnings on standard error; the processes set up their own, fuller log when they start."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _add(to: typer.Typer, name: str, function: Callable[..., Any], *examples: str, panel: str | None = None) -> None:
    """Registers a command; its help ends with the examples."""
    epilog = "\n\n".join(["Examples:" if len(examples) > 1 else "Example:", *examples])
    to.command(name, epilog=epilog, rich_help_panel=panel)(function)


def _group(name: str, about: str, panel: str) -> typer.Typer:
    group = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode="rich")
    app.add_typer(group, name=name, rich_help_panel=panel)
    return group


def _assemble() -> None:
    run = "Run the platform"
    _add(app, "up", lifecycle.up, "flight up --demo", "flight up", panel=run)
    _add(app, "down", lifecycle.down, "flight down", panel=run)

    see = "See how it is"
    _add(app, "status", status.status, "flight status --watch", "flight status --json | jq .hops", panel=see)
    _add(app, "doctor", doctor.doctor, "flight doctor", panel=see)
    _add(
        app,
        "sql",
        sql.sql,
        'flight sql "SELECT count(*) FROM positions"',
        "flight sql --csv - < question.sql",
        'flight sql --duckdb --from 90d "SELECT hour, count(*) FROM positions GROUP BY hour"',
        panel=see,
    )
    _add(app, "logs", lifecycle.logs, "flight logs", "flight logs track-1 --follow", panel=see)

    _assemble_processes()
    _assemble_stores()
    _add(app, "stall", stall.stall, "flight stall 30", "flight stall 30 --source paris", panel="Demonstrations")


def _assemble_processes() -> None:
    panel = "The processes, one by one"
    _add(
        app,
        "feed",
        stages.feed,
        "flight feed replay day.parquet --rebase now --speed 10",
        "flight feed sbs --url tcp://127.0.0.1:30003 --timezone UTC --name roof",
        "flight feed opensky --bbox 5.9,45.8,10.5,47.8 --dry-run",
        panel=panel,
    )
    _add(app, "track", stages.track, "flight track", panel=panel)
    _add(app, "live", stages.live, "flight live", panel=panel)
    _add(app, "history", stages.history, "flight history", panel=panel)
    serve = _group("serve", "Runs one of the APIs.", panel)
    _add(serve, "active", stages.serve_active, "flight serve active")
    _add(serve, "history", stages.serve_history, "flight serve history")


def _assemble_stores() -> None:
    panel = "Keep the stores"
    _add(app, "migrate", stores.migrate, "flight migrate", panel=panel)
    topics = _group("topics", "Kafka's topics.", panel)
    _add(topics, "create", stores.create_topics, "flight topics create")
    _add(topics, "list", stores.list_topics, "flight topics list --json")
    _add(topics, "grow", grow_topics.grow_topics, "flight topics grow --partitions 24")
    leaves = _group("partitions", "The hours of history.", panel)
    _add(leaves, "ahead", partitions.ahead, "flight partitions ahead", "flight partitions ahead --days 14")
    _add(leaves, "list", partitions.show, "flight partitions list", "flight partitions list --from 7d --json")
    _add(
        app,
        "compact",
        compact.compact,
        "flight compact",
        "flight compact --from 2026-01-31 --to 2026-02-01",
        panel=panel,
    )
    days = _group("archive", "Days in the Parquet archive.", panel)
    _add(days, "list", archive.show, "flight archive list", "flight archive list --from 2026-01-01 --json")
    _add(days, "write", archive.write, "flight archive write --from 2026-01-31 --to 2026-02-02")
    _add(days, "verify", archive.verify, "flight archive verify --from 2026-01-31")
    _add(days, "drop", archive.drop, "flight archive drop --from 2026-01-31")
    _add(days, "restore", archive.restore, "flight archive restore --from 2026-01-31 --json")
    judged = _group("hours", "Closed hours, their verdicts, and what to do about a red one.", panel)
    _add(judged, "list", hours.list_hours, "flight hours list --red", "flight hours list --from 3d --json")
    _add(judged, "accept", hours.accept, 'flight hours accept 2026-01-31T22:00 --reason "receiver on a test bench"')
    _add(judged, "recheck", hours.recheck, "flight hours recheck 2026-01-31T22:00 2026-02-01T03:00")
    _add(
        app,
        "gaps",
        gaps.gaps,
        "flight gaps --from 24h",
        "flight gaps --from 2026-01-31 --to 2026-02-01 --json",
        panel=panel,
    )
    _add(
        app,
        "backfill",
        backfill.backfill,
        "flight backfill roof.jsonl.gz --gap 7",
        "flight backfill traces/ --name roof --from 2026-01-31T12:00 --to 2026-01-31T13:00",
        panel=panel,
    )
    known = _group("reference", "What others publish: aircraft, airports, runways.", panel)
    _add(
        known,
        "load",
        reference.load,
        "flight reference load aircrafts.json.gz",
        "flight reference load runways.csv --json",
    )
    _add(known, "list", reference.show, "flight reference list")
    letters = _group("dead-letters", "Reports that were refused, and why.", panel)
    _add(
        letters,
        "list",
        dead_letters.list_letters,
        "flight dead-letters list --since 2h",
        "flight dead-letters list --reason out_of_range --limit 5",
    )
    _add(
        letters,
        "show",
        dead_letters.show_letter,
        "flight dead-letters show 0:17",
        "flight dead-letters show 0:17 --raw > record",
    )
    _add(
        letters,
        "replay",
        replay_dead_letters.replay_letters,
        "flight dead-letters replay --reason undecodable --source roof --dry-run",
        "flight dead-letters replay --reason too_late --since 2026-01-31 --backfill",
        "flight dead-letters replay 0:17 3:4",
    )
    _assemble_privacy()
    edge = _group("edge", "HAProxy in front of the APIs.", panel)
    places = "--active api-1 --history api-1 --active api-2 --history api-2"
    _add(edge, "write", edge_write.write, f"flight edge write {places} --resolver 127.0.0.11:53")
    known_keys = _group("keys", "Who may ask the edge for more, and for Dagster.", panel)
    example = "flight keys add map-of-bern --rate 500 --daily 100000"
    _add(known_keys, "add", keys.add, example, "flight keys add me --operator")
    _add(known_keys, "list", keys.list_keys, "flight keys list", "flight keys list --json")
    _add(known_keys, "revoke", keys.revoke, "flight keys revoke map-of-bern")


def _assemble_privacy() -> None:
    rules = _group("block-list", "Aircraft that must not be shown.", "Keep the stores")
    _add(rules, "show", block_list.show_rules, "flight block-list show", "flight block-list show --json")
    _add(
        rules,
        "add",
        block_list.add_rule,
        "flight block-list add a1b2c3 --reason 'the owner asks'",
        "flight block-list add --registration N123AB --action anonymise --until 2027-12-31 --reason LADD",
        "flight block-list add --callsign RESCUE1 --reason 'a mission'",
    )
    _add(rules, "remove", block_list.remove_rule, "flight block-list remove 7 --reason 'the owner withdraws'")
    _add(rules, "import", block_list.import_rules, "flight block-list import block-list.csv")
    _add(
        app,
        "forget",
        forget.forget,
        "flight forget a1b2c3 --reason 'request of 2026-01-31'",
        "flight forget --registration N123AB --reason 'the owner asks' --yes --json",
        "flight forget --callsign RESCUE1 --reason 'a mission'",
        panel="Keep the stores",
    )
    _add(rules, "export", block_list.export_rules, "flight block-list export --reason 'for the other site' > list.csv")


_assemble()


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `flight`."""
    try:
        app(args=arguments, prog_name="flight")
    except SettingsError as error:
        fail(error)
        sys.exit(EXIT_SETTINGS)
    except FlightError as error:
        fail(error)
        sys.exit(EXIT_FAILURE)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): no reason for a message, and none at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILURE)


if __name__ == "__main__":
    main()
