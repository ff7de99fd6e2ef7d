"""Whole hours of history as columns, however they are stored.

For those who work through all of an hour: flights, statistics, archive. Questions about some of it are SQL's
(`queries.py`, schema `analytics`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import psycopg

from flight_platform.codec import COLUMN_TYPES, Columns
from flight_platform.history.copy import columns_from, copied
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.sql import query

BATCH_ROWS: Final = 250_000  # read at once: about 100 MB


def read_hour(connection: psycopg.Connection, hour: datetime) -> Columns:
    """All positions of the hour that holds `hour`, sorted by flight and time, as one snapshot shows them."""
    parameters = {"hour": start_of_hour(hour)}
    with connection.transaction(), connection.cursor() as cursor:
        batches = copied(cursor, query("positions_hour"), parameters, BATCH_ROWS)
        return joined([columns_from(rows) for rows in batches])


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of these columns, one part behind the other."""
    if not parts:
        nothing = {name: np.zeros(0, dtype=kind) for name, kind in COLUMN_TYPES.items()}
        return Columns(nothing, {name: np.zeros(0, dtype=bool) for name in COLUMN_TYPES})
    return Columns(
        {name: np.concatenate([part.values[name] for part in parts]) for name in COLUMN_TYPES},
        {name: np.concatenate([part.known[name] for part in parts]) for name in COLUMN_TYPES},
    )
