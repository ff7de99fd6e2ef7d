"""An aircraft out of the live servers. What a feed lets through before it sees the rule expires within the window."""

from contextlib import closing
from typing import Any

from flight_platform.live.connection import Connection
from flight_platform.live.fields import fields_of, position_of
from flight_platform.live.shards import parse_shards
from flight_platform.names import COLLECTION_FLIGHTS
from flight_platform.privacy.target import Target
from flight_platform.settings import Settings

_NO_LIMIT = 100_000_000  # Tile38's own default is 100


def erase_live(settings: Settings, target: Target) -> int:
    """Removes its flights from every live server; how many copies. Raises ShardError where a server does not answer."""
    erased = 0
    for shard in parse_shards(settings.tile38_urls):
        with closing(Connection(shard)) as connection:
            (reply,) = connection.ask([("SCAN", COLLECTION_FLIGHTS, "LIMIT", _NO_LIMIT, "POINTS")])
            named = [item[0] for item in reply[1] if _is_about(item, target)]
            if named:
                connection.ask([("DEL", COLLECTION_FLIGHTS, item_id) for item_id in named])
            erased += len(named)
    return erased


def _is_about(item: Any, target: Target) -> bool:
    try:
        return target.names(position_of(item[0], item[1], fields_of(item[2])))
    except (ValueError, IndexError):
        return False  # somebody else's object
