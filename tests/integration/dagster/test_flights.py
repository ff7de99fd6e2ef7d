"""Assets of flights and of reference files on a real database, with an instance of Dagster."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from assets.flights import flights_in_the_air, history_flights, open_flights
from assets.partitions import HOUR, key_of
from assets.reference import reference_aircraft, reference_files
from assets.resources import Platform
from flight_platform.embedded.postgres import EmbeddedPostgres
from flight_platform.history.partitions import ensure_hour, start_of_hour
from flight_platform.testing import DatabaseUrls, migrated_database

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseUrls]:
    with migrated_database(postgres_server) as urls:
        yield urls


@pytest.fixture
def platform(database: DatabaseUrls, tmp_path: Path) -> Platform:
    overrides = {"postgres_url": database["postgres_url"], "aircraft_file": str(tmp_path / "aircraft.csv")}
    return Platform(overrides=overrides)


def at_frankfurt(connection: psycopg.Connection, moment: datetime) -> None:
    """Taxi, take-off and climb of one aircraft at Frankfurt from that moment on."""
    connection.execute("TRUNCATE history.positions, history.flights")
    times = [moment + timedelta(seconds=n) for n in range(20)]
    for hour in {start_of_hour(time) for time in times}:
        ensure_hour(connection, hour)
    for n, time in enumerate(times):
        row = [0x3C6444 << 32 | int(moment.timestamp()), time, time, 500_333_000 + n * 10_000, 85_706_000, n < 10]
        connection.execute(
            "INSERT INTO history.positions (flight_id, time, received_at, latitude_e7, longitude_e7, on_ground,"
            " ground_speed_dkt, altitude_ft) VALUES (%s, %s, %s, %s, %s, %s, 1500, 400)",
            row,
        )


def test_flights_of_a_closed_hour_are_there_with_their_airport_on_a_fresh_platform(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    hour = start_of_hour(datetime.now(UTC)) - 5 * HOUR
    at_frankfurt(connection, hour)
    result = dg.materialize(
        [history_flights], instance=instance, resources={"platform": platform}, partition_key=key_of(hour)
    )
    assert result.success
    (made,) = result.asset_materializations_for_node("history__flights")
    assert made.metadata["dagster/row_count"].value == 1
    assert made.metadata["with an airport of departure"].value == 1
    found = connection.execute("SELECT departure_airport, final FROM history.flights").fetchall()
    assert found == [("EDDF", True)]


def test_flights_in_the_air_are_refreshed(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    at_frankfurt(connection, datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30))
    context = dg.build_schedule_context(instance=instance)
    assert isinstance(flights_in_the_air(context), dg.RunRequest)
    assert open_flights.execute_in_process(instance=instance, resources={"platform": platform}).success
    found = connection.execute("SELECT departure_airport, final FROM history.flights").fetchall()
    assert found == [("EDDF", False)]


def test_the_operators_file_is_loaded_when_it_is_there_and_when_it_changes(
    platform: Platform, instance: dg.DagsterInstance, connection: psycopg.Connection
) -> None:
    file = Path(platform.overrides["aircraft_file"])
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})
    assert isinstance(reference_files(context), dg.SkipReason)  # named and not there
    for registration in ("D-AIBD", "D-AIBE"):
        file.write_text(f"icao24,registration,typecode\n3c6444,{registration},A319\n")
        os.utime(file, ns=(0, len(registration) + ord(registration[-1])))
        request = reference_files(context)
        assert isinstance(request, dg.RunRequest)
        assert request.asset_selection == [reference_aircraft.key]
        assert dg.materialize([reference_aircraft], instance=instance, resources={"platform": platform}).success
        assert isinstance(reference_files(context), dg.SkipReason)
        assert connection.execute("SELECT registration FROM reference.aircraft").fetchall() == [(registration,)]
    nothing = Platform(overrides={"postgres_url": platform.overrides["postgres_url"]})
    assert dg.materialize([reference_aircraft], instance=instance, resources={"platform": nothing}).success
    assert connection.execute("SELECT count(*) FROM reference.aircraft").fetchone() == (1,)
