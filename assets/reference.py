"""Assets `reference/*`: airports from a package, aircraft and runways from the operator's files.

How a file is read is the matter of `flight_platform/reference/`. Here too is the sensor that looks whether a file has
changed: it knows these assets and nothing else.
"""

from pathlib import Path
from typing import Any, Final

import dagster as dg

from assets.resources import Platform
from flight_platform.reference.tables import load_aircraft, load_airports, load_runways

AIRCRAFT_KEY: Final = dg.AssetKey(["reference", "aircraft"])
RUNWAYS_KEY: Final = dg.AssetKey(["reference", "runways"])
_RETRY: Final = dg.RetryPolicy(max_retries=2, delay=10)


@dg.asset(
    key=["reference", "airports"],
    group_name="reference",
    kinds={"postgres"},
    owners=["team:platform"],
    retry_policy=_RETRY,
    description=(
        "`reference.airports`: place, elevation and codes of 28,000 airports, replaced as a whole in one transaction "
        "once a week. Source: the package `airportsdata` (MIT), which comes with the platform."
    ),
)
def reference_airports(platform: Platform) -> dg.MaterializeResult[Any]:
    """Replaces the table; readers see the old rows or the new ones, never neither."""
    import airportsdata

    with platform.connect() as connection:
        loaded = load_airports(connection)
    return dg.MaterializeResult(metadata={"dagster/row_count": loaded.rows, "release": airportsdata.__version__})


@dg.asset(
    key=AIRCRAFT_KEY,
    group_name="reference",
    kinds={"postgres"},
    owners=["team:platform"],
    retry_policy=_RETRY,
    description=(
        "`reference.aircraft`: registration, type and operator by address, from the file that `FLIGHT_AIRCRAFT_FILE` "
        "names (Mictronics' `aircrafts.json` or OpenSky's CSV). Replaced as a whole when the file changes; empty "
        "without one. `flight reference load FILE` does the same."
    ),
)
def reference_aircraft(platform: Platform) -> dg.MaterializeResult[Any]:
    """Replaces the table by what is in the file."""
    settings = platform.settings()
    if settings.aircraft_file is None:
        return _nothing_named("FLIGHT_AIRCRAFT_FILE")
    with platform.connect(settings) as connection:
        loaded = load_aircraft(connection, settings.aircraft_file)
    return dg.MaterializeResult(metadata={"dagster/row_count": loaded.rows, "provider": loaded.provider})


@dg.asset(
    key=RUNWAYS_KEY,
    group_name="reference",
    kinds={"postgres"},
    owners=["team:platform"],
    retry_policy=_RETRY,
    description=(
        "`reference.runways`: place and heading of runways, from the file that `FLIGHT_RUNWAYS_FILE` names "
        "(OurAirports' `runways.csv`). With them more ends of flights get their airport; empty without one."
    ),
)
def reference_runways(platform: Platform) -> dg.MaterializeResult[Any]:
    """Replaces the table by what is in the file."""
    settings = platform.settings()
    if settings.runways_file is None:
        return _nothing_named("FLIGHT_RUNWAYS_FILE")
    with platform.connect(settings) as connection:
        loaded = load_runways(connection, settings.runways_file)
    return dg.MaterializeResult(metadata={"dagster/row_count": loaded.rows, "provider": loaded.provider})


def _nothing_named(setting: str) -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"file": f"none: name one in {setting}"})


load_reference_files: Final = dg.define_asset_job(
    "load_reference_files",
    selection=[AIRCRAFT_KEY, RUNWAYS_KEY],
    description="Replaces aircraft and runways by what is in the operator's files.",
)


@dg.sensor(
    job=load_reference_files,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Loads the operator's files of aircraft and runways when they are named first, and when one changes.",
)
def reference_files(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """A run over the assets whose file is not the one that was loaded last."""
    settings = platform.settings()
    named = {AIRCRAFT_KEY: settings.aircraft_file, RUNWAYS_KEY: settings.runways_file}
    versions = {key: _version(path) for key, path in named.items() if path is not None}
    if None in versions.values():
        missing = [str(named[key]) for key, version in versions.items() if version is None]
        return dg.SkipReason(f"not there: {', '.join(missing)}")
    seen = "; ".join(f"{key.to_user_string()} {version}" for key, version in versions.items())
    if seen == (context.cursor or ""):
        return dg.SkipReason("no file has changed" if versions else "no file is named")
    context.update_cursor(seen)
    return dg.RunRequest(asset_selection=list(versions))


def _version(path: Path) -> str | None:
    """What changes when the file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{path} {status.st_size} {status.st_mtime_ns}"
