"""`flight compact`: closed hours become chunks now, without waiting for Dagster. How is in `history/compaction.py`."""

from datetime import UTC, datetime
from typing import Any

from cli.hours import JSON, FromOption, ToOption, hours_between, stretch
from cli.output import say, say_json


def compact(*, since: FromOption = "3d", until: ToOption = None, as_json: JSON = False) -> None:
    """Compacts the closed hours of a stretch that passed their checks, and merges what came late. Safe to repeat."""
    from cli.postgres import connected
    from flight_platform.history.compaction import Compaction, compact_hours
    from flight_platform.history.partitions import HOUR, list_hours, start_of_hour
    from flight_platform.settings import Settings

    first, end = stretch(since, until)
    done: list[dict[str, Any]] = []

    def told(compaction: Compaction) -> None:
        facts = {name: getattr(compaction, name) for name in Compaction.__slots__}
        done.append(facts)
        if not as_json:
            say(_line(facts))

    with connected(Settings.read().postgres_url.get_secret_value()) as connection:
        present = set(list_hours(connection))
        hours = [hour for hour in hours_between(start_of_hour(first), end - HOUR) if hour in present]
        compact_hours(connection, hours, datetime.now(UTC), told)
    if as_json:
        say_json(done)
    else:
        moved = sum(facts["moved"] for facts in done)
        say(f"{moved} positions of {sum(1 for facts in done if facts['moved'])} hours compacted")


def _line(facts: dict[str, Any]) -> str:
    name = f"{facts['hour']:%Y-%m-%d %H:00}"
    if facts["skipped"]:
        return f"{name}  left raw: {facts['skipped']}"
    if not facts["moved"]:
        return f"{name}  nothing raw"
    sizes = f"{facts['bytes_before'] / 1e6:.1f} MB → {facts['bytes_after'] / 1e6:.1f} MB"
    return f"{name}  {facts['moved']} positions, {sizes}"
