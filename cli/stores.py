"""`flight migrate|topics`: makes and lists what the stores are made of."""

from typing import Annotated

import typer

from cli.output import say, say_json, table

JSON = Annotated[bool, typer.Option("--json", help="For scripts.")]


def migrate() -> None:
    """Brings the tables of history up to date."""
    from cli.postgres import connected
    from flight_platform.history.migrate import migrate as bring_up_to_date
    from flight_platform.settings import Settings

    settings = Settings.read()
    url = settings.postgres_url.get_secret_value()
    with connected(url):  # one clear line where it does not answer
        applied = bring_up_to_date(url, settings.analyst_url.get_secret_value())
    say(f"applied: {', '.join(applied)}" if applied else "the tables are up to date")


def create_topics() -> None:
    """Makes the topics that are missing."""
    from flight_platform.kafka import ensure_topics
    from flight_platform.settings import Settings

    settings = Settings.read()
    for name, partitions in ensure_topics(settings).items():
        say(f"{settings.topic(name)}: {partitions} partitions")


def list_topics(*, as_json: JSON = False) -> None:
    """Lists the platform's topics with their sizes."""
    from cli.topics import topic_facts
    from flight_platform.settings import Settings

    facts = topic_facts(Settings.read())
    if as_json:
        say_json(facts)
        return
    say(table(["topic", "partitions", "records"], [[f["topic"], f["partitions"], f["records"]] for f in facts]))
