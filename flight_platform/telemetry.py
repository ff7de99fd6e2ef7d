"""What the processes tell of themselves: structured logs and Prometheus metrics.

Logging is configured by entry points alone (`configure_logging`); modules take a logger from `structlog.get_logger()`
and log an `action` that stays the same, with the data as fields. All metrics stand here, and docs/metrics.md is made of
them (`metrics_page.py`).
"""

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

# Without it there is a second series for each counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

_LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)

INGEST_RECORDS = Counter(
    "flight_ingest_records_total", "Reports by outcome: accepted, duplicate, late, rejected", ["source", "outcome"]
)
INGEST_POLLS = Counter(
    "flight_ingest_polls_total",
    "Polls or connections by what came of them: an HTTP status or a word",
    ["source", "code"],
)
INGEST_POLL_DURATION = Histogram("flight_ingest_poll_duration_seconds", "Time until a poll is answered", ["source"])
INGEST_FRAMES = Counter("flight_ingest_frames_total", "Mode S frames by what came of them", ["source", "outcome"])
INGEST_THROTTLED = Counter("flight_ingest_throttled_total", "Polls that the source asked us to delay", ["source"])
INGEST_EVENT_TIMESTAMP = Gauge("flight_ingest_event_timestamp_seconds", "Newest event time, Unix time", ["source"])
INGEST_LAST_SUCCESS = Gauge(
    "flight_ingest_last_success_timestamp_seconds", "Last good answer of a source, Unix time", ["source"]
)
INGEST_HELD = Gauge("flight_ingest_held_records", "Records on disk that Kafka has not taken yet", ["source"])
INGEST_OVERFLOWED = Counter(
    "flight_ingest_overflowed_records_total", "Records lost: Kafka was away for longer than the disk holds", ["source"]
)
CONSUMER_RECORDS = Counter("flight_consumer_records_total", "Records by outcome", ["stage", "outcome"])
CONSUMER_BATCH_DURATION = Histogram("flight_consumer_batch_duration_seconds", "Time a batch takes", ["stage"])
CONSUMER_LAG = Gauge("flight_consumer_lag_records", "Records not yet consumed", ["stage", "partition"])
CONSUMER_WATERMARK = Gauge(
    "flight_consumer_watermark_timestamp_seconds", "Newest event time, Unix time", ["stage", "partition"]
)
SOURCE_WATERMARK = Gauge(
    "flight_source_watermark_timestamp_seconds",
    "Newest event time of a source at this hop, Unix time; at hop source it is the source's own clock",
    ["stage", "source"],
)
CONSUMER_REBALANCES = Counter("flight_consumer_rebalances_total", "Changes of the assignment", ["stage"])
CONSUMER_PAUSED = Gauge("flight_consumer_paused_partitions", "Partitions held back: their store is away", ["stage"])
DEPENDENCY_UP = Gauge("flight_dependency_up", "Whether a server that this process needs answers it", ["dependency"])
WATCHMAN_AGE = Gauge("flight_watchman_age_seconds", "How long ago Dagster's sensor looked at the heartbeats")
WATCHMAN_AGE.set(float("nan"))  # of a process that has no heartbeat; a 0 would say that it looks right now
DEAD_LETTERS = Counter("flight_dead_letters_total", "Records refused, by reason", ["reason"])
LIVE_OBJECTS = Gauge("flight_live_objects", "Flights written within the window", ["shard"])
LIVE_COMMAND_DURATION = Histogram(
    "flight_live_command_duration_seconds",
    "Time until a live server has answered; live asks once a second, behind the SETs that are on their way",
    ["command", "shard"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3),
)
HISTORY_ROWS = Counter(
    "flight_history_rows_total",
    "Positions by outcome: inserted, conflict (history has it), quarantined, withheld (on the block list); late are "
    "those inserted after their hour",
    ["outcome"],
)
HISTORY_WRITE_DURATION = Histogram("flight_history_write_duration_seconds", "Time of one write to Postgres")
E2E_LATENCY = Histogram(
    "flight_e2e_latency_seconds",
    "From a report's received_at until it is in Kafka, visible live, visible in history (a sample)",
    ["stage"],
    buckets=_LATENCY_BUCKETS,
)
HTTP_REQUESTS = Counter("flight_http_requests_total", "Requests by answer", ["route", "method", "code"])
HTTP_DURATION = Histogram("flight_http_request_duration_seconds", "Time of a request", ["route"])
SNAPSHOT_AGE = Gauge("flight_snapshot_age_seconds", "Since the live store was last read for tiles and push")
STREAM_CLIENTS = Gauge("flight_stream_clients", "Clients that are being pushed to", ["protocol"])
STREAM_DROPPED = Counter("flight_stream_dropped_total", "Streams that we ended, by reason", ["reason"])


def configure_logging(log_format: str = "auto") -> None:
    """Logs on standard error: coloured text on a terminal, JSON lines elsewhere, or as `log_format` says."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        shared += [
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        shared.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def serve_metrics(port: int | None, host: str) -> int | None:
    """Serves `/metrics`; returns the port, None where none was asked for."""
    if port is None:
        return None
    server, _thread = start_http_server(port, addr=host)
    return int(server.server_port)
