"""What a tracker keeps in `flight.tracker`: what it believes of one aircraft as bytes, and back."""

from typing import NamedTuple

from flight_platform.codec import TrackingRow, decode_for_tracking
from protos.flight.v1 import tracker_pb2
from streaming.tracking import Aircraft, Flight, Report


class Arrival(NamedTuple):
    """A report as it came from `flight.reports`: the payload of a tracker's `Report`."""

    data: bytes
    offset: int
    appended_ms: int
    partition: int = 0


def report_of(row: TrackingRow, arrival: Arrival) -> Report:
    """What tracking needs of an arrival."""
    _icao24, time, latitude, longitude, altitude_ft, ground_speed_kt, on_ground, callsign = row
    return Report(time, latitude, longitude, altitude_ft, ground_speed_kt, on_ground, callsign, arrival)


def pack(aircraft: Aircraft, next_offset: int) -> bytes:
    """The state of an aircraft after the reports before that offset; held reports whole: nobody judged them yet."""
    return tracker_pb2.TrackerState(
        flights=[
            tracker_pb2.TrackedFlight(
                flight_id=flight.flight_id,
                first_time=flight.first_time,
                time=flight.time,
                latitude=flight.latitude,
                longitude=flight.longitude,
                altitude_ft=flight.altitude_ft,
                ground_speed_kt=flight.ground_speed_kt,
                on_ground=flight.on_ground,
                callsign=flight.callsign,
                flown=flight.flown,
                ground_since=flight.ground_since,
                reports=flight.reports,
            )
            for flight in aircraft.flights
        ],
        held=[
            tracker_pb2.HeldReport(
                report=held.payload.data,
                partition=held.payload.partition,
                offset=held.payload.offset,
                appended_at=held.payload.appended_ms,
            )
            for held in aircraft.held
        ],
        next_offset=next_offset,
    ).SerializeToString()


def unpack(address: int, data: bytes, partition: int) -> tuple[Aircraft, int]:
    """The aircraft whose state that partition has, and the offset from which on reports are news to it."""
    state = tracker_pb2.TrackerState.FromString(data)
    aircraft = Aircraft(address)
    aircraft.flights = [_flight(kept) for kept in state.flights]
    rows = decode_for_tracking([kept.report for kept in state.held])
    aircraft.held = [
        report_of(row, _arrival(kept, partition)) for row, kept in zip(rows, state.held, strict=True) if row is not None
    ]
    return aircraft, state.next_offset


def _arrival(kept: tracker_pb2.HeldReport, partition: int) -> Arrival:
    came_from = kept.partition if kept.HasField("partition") else partition
    return Arrival(kept.report, kept.offset, kept.appended_at, came_from)


def _flight(kept: tracker_pb2.TrackedFlight) -> Flight:
    return Flight(
        flight_id=kept.flight_id,
        first_time=kept.first_time,
        time=kept.time,
        latitude=kept.latitude,
        longitude=kept.longitude,
        altitude_ft=kept.altitude_ft if kept.HasField("altitude_ft") else None,
        ground_speed_kt=kept.ground_speed_kt if kept.HasField("ground_speed_kt") else None,
        on_ground=kept.on_ground if kept.HasField("on_ground") else None,
        callsign=kept.callsign if kept.HasField("callsign") else None,
        flown=kept.flown,
        ground_since=kept.ground_since if kept.HasField("ground_since") else None,
        reports=kept.reports,
    )
