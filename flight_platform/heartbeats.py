"""Heartbeats: the row that each always-on process leaves in `ops.heartbeats` once a second.

They are how the control plane sees the data plane: consumers know nothing of Dagster. A heartbeat that cannot be
written (Postgres is down) is no reason to stop: it is said once and tried again.
"""

import json
import os
import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files

import psycopg
import structlog

from flight_platform.names import Stage
from flight_platform.settings import Settings

log = structlog.get_logger()

_UPSERT = (files("flight_platform") / "sql/queries/heartbeat.sql").read_text()
_DELETE = "DELETE FROM ops.heartbeats WHERE stage = %(stage)s AND instance = %(instance)s AND source = %(source)s"
BEAT_S = 1.0


class Heartbeat:
    """What one process says of itself. Set the fields from the working thread; a thread of its own writes them.

    watermark_ms: newest event time that this process has passed on; source_clock_ms: newest time that the source itself
    has told (so that a quiet sky is not a stall); lag_records: what waits in Kafka; counts: totals by outcome.
    """

    def __init__(self, settings: Settings, stage: Stage, *, source: str = "") -> None:
        self.stage, self.source, self.instance = stage, source, settings.instance
        self.watermark_ms: int | None = None
        self.source_clock_ms: int | None = None
        self.lag_records: int | None = None
        self.counts: Counter[str] = Counter()
        self.note = "starting"
        self.metrics_port: int | None = None
        self._url = settings.postgres_url.get_secret_value()
        self._started_at = datetime.now(UTC)
        self._stop = threading.Event()
        self._on_purpose = True
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Starts to beat."""
        self._thread.start()

    def stop(self, *, on_purpose: bool = True) -> None:
        """Stops. A process that ended on purpose takes its row away and is not missed; one that failed leaves it."""
        self._on_purpose = on_purpose
        self._stop.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        connection: psycopg.Connection | None = None
        reported = False
        while not self._stop.is_set():
            try:
                if connection is None:
                    connection = psycopg.connect(
                        self._url,
                        autocommit=True,
                        connect_timeout=3,
                        application_name=f"{self.instance} heartbeat",
                    )
                connection.execute(_UPSERT, self._row())
                reported = False
            except psycopg.Error as error:
                if not reported:
                    log.warning("heartbeat_failed", problem=str(error).strip())
                reported = True
                if connection is not None:
                    connection.close()
                connection = None
            self._stop.wait(BEAT_S)
        if connection is not None:
            with suppress(psycopg.Error), connection:
                if self._on_purpose:
                    connection.execute(_DELETE, {"stage": self.stage, "instance": self.instance, "source": self.source})

    def _row(self) -> dict[str, object]:
        return {
            "stage": self.stage,
            "instance": self.instance,
            "source": self.source,
            "started_at": self._started_at,
            "watermark": _moment(self.watermark_ms),
            "source_clock": _moment(self.source_clock_ms),
            "lag_records": self.lag_records,
            "counters": json.dumps(dict(self.counts)),
            "rss_bytes": resident_bytes(),
            "metrics_port": self.metrics_port,
            "note": self.note,
            "pid": os.getpid(),
        }


def _moment(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC)


def resident_bytes() -> int:
    """Resident memory of this process, bytes (Linux)."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
