"""`flight dead-letters replay`: brings letters back into `flight.reports`, exactly once, and says what came of each.

How they are judged and committed is in `streaming/replay_dead_letters.py`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.dead_letters import (
    ReasonOption,
    SinceOption,
    SourceOption,
    UntilOption,
    answering,
    wanted_letters,
)
from cli.output import say, say_json, table
from flight_platform.errors import SettingsError
from flight_platform.names import Reason

if TYPE_CHECKING:
    from streaming.replay_dead_letters import Judgement, Summary

_LISTED = 20
_SHOWN = 100  # characters of a detail in a table


def replay_letters(
    letter_ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="These alone: partition:offset.")] = None,
    *,
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters that there are.")] = False,
    limit: Annotated[int | None, typer.Option(help="Bring back so many at most.", min=1)] = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="Take reports of any age.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Decodes refused records again, with today's code and rules, and feeds those that pass. Each goes back once.

    What fails again stays where it is. A replay that was interrupted is started again: it goes on with what is left.
    """
    if not (letter_ids or reason or source or since or until or everything):
        raise SettingsError(
            "which letters? Name them (0:17), give a filter (--reason, --source, --since, --until) or --all. "
            "Example: flight dead-letters replay --reason undecodable --dry-run"
        )
    from flight_platform import kafka
    from flight_platform.settings import Settings
    from streaming import replay_dead_letters as replaying

    settings = Settings.read()
    wanted = wanted_letters(reason, source, since, until, letter_ids or ())
    run = replaying.dry_run if dry_run else replaying.replay
    with answering(settings):
        kafka.admin(settings).list_topics(timeout=5)  # so that a Kafka that is away is told at once
        summary, rows = _collect(run(settings, wanted, backfill=backfill, limit=limit), every=as_json or dry_run)
    if as_json:
        say_json(_as_json(summary, rows, dry_run=dry_run))
    else:
        _say(summary, rows, dry_run=dry_run, backfill=backfill)


def _collect(judgements: "Iterable[Judgement]", *, every: bool) -> "tuple[Summary, list[dict[str, Any]]]":
    """The counts, and a row for each letter (of those that went back only where every one is wanted)."""
    from streaming.replay_dead_letters import Outcome, Summary

    summary, rows = Summary(), list[dict[str, Any]]()
    for judgement in judgements:
        summary.count(judgement)
        if every or judgement.outcome is not Outcome.REPLAYED:
            rows.append(
                {
                    "id": judgement.letter.id,
                    "outcome": judgement.outcome,
                    "reason": judgement.reason,
                    "detail": judgement.detail or None,
                    "reports": len(judgement.reports),
                }
            )
    return summary, rows


def _as_json(summary: "Summary", rows: list[dict[str, Any]], *, dry_run: bool) -> dict[str, Any]:
    from streaming.replay_dead_letters import Outcome

    return {
        "dry_run": dry_run,
        "outcomes": {outcome: summary.outcomes[outcome] for outcome in Outcome},
        "reports": summary.reports,
        "refused_again": dict(summary.reasons),
        "not_replayable": dict(summary.not_replayable),
        "dead_letters": rows,
    }


def _say(summary: "Summary", rows: list[dict[str, Any]], *, dry_run: bool, backfill: bool) -> None:
    from streaming.replay_dead_letters import Outcome

    if not summary.outcomes:
        say("no dead letters of that kind")
        return
    lines = [
        (_words(outcome, dry_run=dry_run), summary.outcomes[outcome])
        for outcome in (Outcome.REPLAYED, Outcome.ALREADY_REPLAYED, Outcome.BLOCKED)
        if summary.outcomes[outcome] or outcome is Outcome.REPLAYED
    ]
    lines += [(f"refused again: {reason}", count) for reason, count in summary.reasons.most_common()]
    lines += [(f"not replayable: {why}", count) for why, count in summary.not_replayable.most_common()]
    say(table(["outcome", "count"], lines))
    say()
    say(f"{summary.reports} reports {'would go' if dry_run else 'went'} into flight.reports")
    if summary.reasons[Reason.TOO_LATE] and not backfill:
        say("those that are too late are taken with --backfill")
    if rows:
        say()
        head = ["id", "outcome", "reason", "detail"]
        say(table(head, [[str(row[name] or "-")[:_SHOWN] for name in head] for row in rows[:_LISTED]]))
    if len(rows) > _LISTED:
        say(f"... and {len(rows) - _LISTED} more: --json has all")


def _words(outcome: str, *, dry_run: bool) -> str:
    words = outcome.replace("_", " ")
    return f"would be {words}" if dry_run and outcome == "replayed" else words
