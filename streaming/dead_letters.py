"""How a refused record is written to `flight.dead-letters`. Its value is the original bytes, untouched."""

import json
from datetime import UTC, datetime

from flight_platform.kafka import encode_headers
from flight_platform.names import Header, Reason, Stage
from flight_platform.telemetry import DEAD_LETTERS

MAX_ORIGINAL_BYTES = 8_000_000


def headers(
    *,
    reason: Reason,
    detail: str,
    stage: Stage,
    source: str,
    now_ms: int,
    origin: tuple[str, int, int] | None = None,
) -> list[tuple[str, str | bytes | None]]:
    """The headers of a dead letter; counts it. `origin` is topic, partition and offset where it came from Kafka."""
    DEAD_LETTERS.labels(reason).inc()
    text = {
        Header.REASON: str(reason),
        Header.DETAIL: detail,
        Header.STAGE: str(stage),
        Header.SOURCE: source,
        Header.REFUSED_AT: datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
    }
    if origin is not None:
        text |= {Header.TOPIC: origin[0], Header.PARTITION: str(origin[1]), Header.OFFSET: str(origin[2])}
    return encode_headers(text)


def original_bytes(original: object) -> bytes:
    """What a source decoded, as bytes: bytes and text as they are, anything else as JSON; 8 MB at most."""
    if isinstance(original, bytes):
        return original[:MAX_ORIGINAL_BYTES]
    text = original if isinstance(original, str) else json.dumps(original, default=str)
    return text.encode("utf-8", "surrogateescape")[:MAX_ORIGINAL_BYTES]
