"""Asset `history/backfill`: hours that a recording has brought after all; Dagster's partitioned backfill over a gap.

    ops.gaps ──► sensor gaps_to_fill ──► run over the hours of the gap ──► flight backfill ──► ops.gaps.filled_at

The work is the data plane's own (`flight backfill`, in a process of its own: it feeds). A source can replay where there
is a recording of it: `FLIGHT_RECORDINGS` names a folder in which a file or folder has the source's name. Otherwise an
operator launches the hours by hand and names the file in the run's configuration.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import dagster as dg
from psycopg.rows import dict_row
from pydantic import Field

from assets.partitions import HOUR, HOURS, START, hour_of, key_of, range_tags
from assets.previews import accepted
from assets.resources import Platform
from flight_platform.history.partitions import start_of_hour
from flight_platform.history.sql import query
from flight_platform.settings import PREFIX, Settings

KEY: Final = dg.AssetKey(["history", "backfill"])
_ROOT: Final = Path(__file__).resolve().parent.parent


class Recording(dg.Config):
    """What fills the hours."""

    file: str = Field(description="A recording, or a folder or archive of traces, where Dagster runs")
    source: str = Field(description="The source that its reports carry: that of the gap")


with accepted():

    @dg.asset(
        key=KEY,
        partitions_def=HOURS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="backfill",  # one at a time: the live stream goes first
        group_name="history",
        kinds={"kafka", "postgres"},
        owners=["team:platform"],
        description=(
            "Hours into which a **recording** was fed, to fill gaps of `ops.gaps`. Asked for by the sensor "
            "`gaps_to_fill` where `FLIGHT_RECORDINGS` has a recording of the source, or by hand with the file in the "
            "configuration."
        ),
    )
    def history_backfill(
        context: dg.AssetExecutionContext, config: Recording, platform: Platform
    ) -> dg.MaterializeResult[Any]:
        """Feeds the hours of the run and waits until history has them."""
        hours = sorted(hour_of(key) for key in context.partition_keys)
        words = ["backfill", config.file, "--name", config.source, "--json"]
        words += ["--from", hours[0].isoformat(), "--to", (hours[-1] + HOUR).isoformat()]
        own = {f"{PREFIX}INSTANCE": f"backfill-{context.run.run_id[:8]}"}
        environment = os.environ | platform.settings().environment() | own
        command = [sys.executable, "-m", "cli.main", *words]
        done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
        context.log.info(done.stderr)
        if done.returncode:
            raise dg.Failure(f"the backfill has failed: {done.stderr.strip().splitlines()[-1:]}", allow_retries=False)
        told = json.loads(done.stdout)
        return dg.MaterializeResult(
            metadata={"reports": told["reports"], "gaps filled": ", ".join(map(str, told["gaps"])) or "none"}
        )


backfill_hours: Final = dg.define_asset_job(
    "backfill_hours", selection=[KEY], description="Feeds hours from a recording, and marks the gaps that it fills."
)


@dg.sensor(
    job=backfill_hours,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks once for each gap that has ended and of whose source FLIGHT_RECORDINGS has a recording.",
)
def gaps_to_fill(platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run over the hours of each gap."""
    settings = platform.settings()
    recordings = recordings_of(settings)
    if not recordings:
        yield dg.SkipReason("there are no recordings: FLIGHT_RECORDINGS names their folder")
        return
    with platform.connect(settings) as connection, connection.cursor(row_factory=dict_row) as cursor:
        gaps = cursor.execute(query("gaps_fillable"), {"sources": list(recordings)}).fetchall()
    closed = start_of_hour(datetime.now(UTC))
    for gap in gaps:
        first, last = start_of_hour(gap["from_time"]), start_of_hour(gap["to_time"])
        if first >= START and last < closed:  # the hours of the asset are those that have ended
            yield _request(gap, first, last, recordings[gap["source"]])


def _request(gap: dict[str, Any], first: datetime, last: datetime, file: Path) -> dg.RunRequest:
    configuration = {"config": {"file": str(file), "source": gap["source"]}}
    return dg.RunRequest(
        # Once, and again when the recording is another.
        run_key=f"gap {gap['gap_id']} {key_of(first)} {file.stat().st_mtime_ns}",
        run_config={"ops": {"__".join(KEY.path): configuration}},
        tags=range_tags(first, last),
    )


def recordings_of(settings: Settings) -> dict[str, Path]:
    """The recordings at hand by the name of their source: the file's name up to its first dot."""
    folder = settings.recordings
    if folder is None or not folder.is_dir():
        return {}
    return {path.name.partition(".")[0]: path.resolve() for path in sorted(folder.iterdir())}
