"""Rows of history as answers have them: what a row is, and its JSON."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flight_platform.codec import iso_time, unix_ms

Row = Mapping[str, Any]


def dumps(value: Any) -> bytes:
    """JSON with times as ISO 8601 text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return iso_time(unix_ms(value))
    if hasattr(value, "__float__"):  # numeric
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
