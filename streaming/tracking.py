"""What a run of reports says about flights: the judgement of one aircraft, as a pure function of its reports.

    report ──► repeat?       dropped: same time, same place
           ──► reachable?    no: held; released when three agree with each other, refused when none follows
           ──► continues?    the flight that it belongs to, or a new one

A flight is one aircraft between two stays on the ground, 36 hours at most. Nothing here knows Kafka, bytes or the wall
clock: the same reports in the same order give the same flight ids, whatever the batches, restarts or takeovers. What
must outlive a process is in `Aircraft.flights` and `Aircraft.held`; the process (`track.py`) keeps it in Kafka.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from flight_platform.model import make_flight_id

BIRTH_TOLERANCE_MS: Final = 5_000  # a report that comes this late to its flight's birth belongs to it
LONGEST_FLIGHT_MS: Final = 36 * 3_600_000
RUN_LENGTH: Final = 3  # held reports that agree with each other win over an older belief
HOLD_MS: Final = 120_000  # a held report that nothing follows is refused after this long
_REMEMBERED_FLIGHTS: Final = 8  # a backfill and the present, and two aircraft that share one address
_REMEMBERED_REPORTS: Final = 32

# Reachable: what an aircraft can cover, plus what positions are worth. 5 km is MLAT's error, or 20 s of staleness at
# 250 m/s; 450 m/s is 875 kt, faster than any airliner with the strongest jet stream behind it.
_SLOP_M: Final = 5_000.0
_FASTEST_M_S: Final = 450.0
_NEAR_DEG: Final = 0.03  # both differences below this: within 4.8 km, no need for trigonometry
_KNOT_M_S: Final = 0.514444
_EARTH_RADIUS_M: Final = 6_371_008.8
_SPOOF_M: Final = 500_000.0  # a jump within this range is a wrong position, not another aircraft

# A hole in the coverage: how much longer than the direct way an aircraft may take and still not have landed. Between
# two cruises a landing costs descent, turnaround and climb; seen low at both ends it costs the turnaround alone.
_SHORT_HOLE_MS: Final = 10 * 60_000
_LOW_FT: Final = 15_000
_LONG_LOW_HOLE_MS: Final = 40 * 60_000  # nobody stays low and unseen for this long: it was on the ground
_SLACK_CRUISE_S: Final = 40 * 60
_SLACK_ONE_END_LOW_S: Final = 30 * 60
_SLACK_LOW_S: Final = 20 * 60
_SLACK_SHARE: Final = 0.08  # winds and detours grow with the hole
_CRUISE_KT: Final = 420.0  # where neither end tells a speed

_TAXI_KT: Final = 50.0  # "airborne" while slower than this, or within 500 m, is the slip of an aircraft at its stand
_STAND_M: Final = 500.0
_TOUCH_AND_GO_MS: Final = 10 * 60_000  # a shorter stay on the ground is none
_PARKED_MS: Final = 45 * 60_000  # on the ground this long after a landing, the next flight has begun
_SILENT_ON_GROUND_MS: Final = 10 * 60_000  # after a landing, a transponder switched off this long was at the gate


class Outcome(StrEnum):
    """What became of a report."""

    PASSED = "passed"
    REPEAT = "repeat"
    REFUSED = "refused"


class Report(NamedTuple):
    """What tracking needs of a position report; `payload` is the caller's and comes back in the verdict.

    Unix milliseconds, degrees WGS 84, feet, knots; None is unknown.
    """

    time: int
    latitude: float
    longitude: float
    altitude_ft: int | None = None
    ground_speed_kt: float | None = None
    on_ground: bool | None = None
    callsign: str | None = None
    payload: Any = None


class Verdict(NamedTuple):
    """The judgement of one report. `flight_id` is 0 and `detail` says why where it is refused or a repeat."""

    outcome: Outcome
    report: Report
    flight_id: int = 0
    detail: str = ""


@dataclass(slots=True)
class Flight:
    """A flight as far as it is known. The fields of the newest report stand in it, by event time."""

    flight_id: int
    first_time: int
    time: int
    latitude: float
    longitude: float
    altitude_ft: int | None = None
    ground_speed_kt: float | None = None
    on_ground: bool | None = None
    callsign: str | None = None
    flown: bool = False
    ground_since: int | None = None
    reports: int = 0

    def take(self, report: Report) -> None:
        """Counts a report in; one that is older than the newest changes nothing else."""
        self.reports += 1
        if not self.flown and report.on_ground is False:
            self.flown = self._flies(report)
        if report.time < self.time:
            return
        self.time = report.time
        self.latitude = report.latitude
        self.longitude = report.longitude
        if report.altitude_ft is not None:
            self.altitude_ft = report.altitude_ft
        self.ground_speed_kt = report.ground_speed_kt
        if report.callsign is not None:
            self.callsign = report.callsign
        if report.on_ground is not None:
            if not report.on_ground:
                self.ground_since = None
            elif self.ground_since is None:
                self.ground_since = report.time
            self.on_ground = report.on_ground

    def _flies(self, report: Report) -> bool:
        """Whether a report that says airborne shows it: transponders at the gate say so now and then too."""
        if report.ground_speed_kt is not None:
            return report.ground_speed_kt > _TAXI_KT
        return distance_m(self.latitude, self.longitude, report.latitude, report.longitude) > _STAND_M


class Aircraft:
    """One address and what is believed of it.

    `changed` is set when a flight begins or the held reports change: then the state should be kept at once.
    Whoever keeps it sets it back.
    """

    __slots__ = ("_recent", "address", "changed", "flights", "held")

    def __init__(self, address: int) -> None:
        self.address = address
        self.flights: list[Flight] = []  # least recently continued first
        self.held: list[Report] = []
        self.changed = False
        self._recent: deque[tuple[int, float, float]] = deque(maxlen=_REMEMBERED_REPORTS)

    def follow(
        self,
        time: int,
        latitude: float,
        longitude: float,
        altitude_ft: int | None,
        ground_speed_kt: float | None,
        on_ground: bool | None,
        callsign: str | None,
    ) -> int:
        """Passes the usual report, and tells its flight; 0 where there is anything to be judged.

        The usual one is in the air, soon after and near by the newest of the only flight there is. `judge` says the
        same of it, at three times the cost.
        """
        if len(self.flights) != 1 or self.held:
            return 0
        flight = self.flights[0]
        if (
            on_ground
            or flight.on_ground
            or (on_ground is False and not flight.flown)
            or not 0 < time - flight.time < _SHORT_HOLE_MS
            or time - flight.first_time > LONGEST_FLIGHT_MS
            or not -_NEAR_DEG < latitude - flight.latitude < _NEAR_DEG
            or not -_NEAR_DEG < longitude - flight.longitude < _NEAR_DEG
        ):
            return 0
        flight.reports += 1
        flight.time, flight.latitude, flight.longitude = time, latitude, longitude
        flight.ground_speed_kt = ground_speed_kt
        if altitude_ft is not None:
            flight.altitude_ft = altitude_ft
        if callsign is not None:
            flight.callsign = callsign
        if on_ground is not None:
            flight.on_ground = False
        self._recent.append((time, latitude, longitude))
        return flight.flight_id

    def judge(self, report: Report) -> list[Verdict]:
        """The verdicts that this report brings about: its own, unless it is held, and those of held ones."""
        if report[:3] in self._recent:
            return [Verdict(Outcome.REPEAT, report)]
        flight, blocked = self._flight_of(report)
        if flight is None:
            if blocked:
                return self._hold(report)
            flight = self._mint(report)
        verdict = self._pass(flight, report)
        if not self.held:
            return [verdict]
        return [*self.release_stale(report.time - HOLD_MS), verdict]

    def release_stale(self, before_ms: int) -> list[Verdict]:
        """Refuses the held reports when the newest of them is older than that event time."""
        if not self.held or self.held[-1].time >= before_ms:
            return []
        return self.refuse_held("no consistent run of reports followed")

    def refuse_held(self, why: str) -> list[Verdict]:
        """Refuses all that is held."""
        refused, self.held = self.held, []
        self.changed = True
        return [Verdict(Outcome.REFUSED, report, 0, self._jump(report) + why) for report in refused]

    def _flight_of(self, report: Report) -> tuple[Flight | None, bool]:
        """The flight that a report continues, and whether one that it should continue is out of its reach."""
        blocked = False
        nearest = self.flights if len(self.flights) < 2 else sorted(self.flights, key=lambda f: _apart_ms(f, report))
        for flight in nearest:
            if report.time < flight.first_time - BIRTH_TOLERANCE_MS:
                continue
            if not _reachable(flight, report):
                blocked = True
            elif report.time <= flight.time or _continues(flight, report):
                return flight, False
            elif not blocked:
                return None, False  # it could be the same aircraft on its next flight
        return None, blocked

    def _mint(self, report: Report) -> Flight:
        taken = {flight.flight_id for flight in self.flights}
        second = report.time // 1000
        while make_flight_id(self.address, second) in taken:
            second += 1  # two aircraft with one address, both first seen in this second
        flight = Flight(
            make_flight_id(self.address, second), report.time, report.time, report.latitude, report.longitude
        )
        self._remember(flight)
        self.changed = True
        return flight

    def _remember(self, flight: Flight) -> None:
        self.flights.append(flight)
        if len(self.flights) > _REMEMBERED_FLIGHTS:
            del self.flights[0]

    def _pass(self, flight: Flight, report: Report) -> Verdict:
        flight.take(report)
        if self.flights[-1] is not flight:
            self.flights.remove(flight)
            self.flights.append(flight)
        self._recent.append(report[:3])
        return Verdict(Outcome.PASSED, report, flight.flight_id)

    def _hold(self, report: Report) -> list[Verdict]:
        """Holds a report that no belief explains; when enough of them agree with each other, they are the belief."""
        verdicts: list[Verdict] = []
        if self.held:
            tail = self.held[-1]
            if report[:3] in (held[:3] for held in self.held):
                return [Verdict(Outcome.REPEAT, report)]
            if report.time < tail.time or report.time - tail.time > HOLD_MS or not _reachable(tail, report):
                verdicts = self.refuse_held("no consistent run of reports followed")
        self.held.append(report)
        self.changed = True
        if len(self.held) < RUN_LENGTH:
            return verdicts
        run, self.held = self.held, []
        flight = self._flight_of_run(run)
        return [*verdicts, *(self._pass(flight, held) for held in run)]

    def _flight_of_run(self, run: list[Report]) -> Flight:
        """The flight of reports that overruled the belief: the same one where its position was wrong or became so."""
        believed = min(self.flights, key=lambda flight: _apart_ms(flight, run[0]))
        born = believed.first_time - BIRTH_TOLERANCE_MS <= run[0].time
        if not born or run[-1].time - believed.first_time > LONGEST_FLIGHT_MS:
            return self._mint(run[0])
        alive = believed.time > run[0].time  # the old belief went on meanwhile: two aircraft send one address
        same_name = run[-1].callsign is not None and run[-1].callsign == believed.callsign
        jump_m = distance_m(believed.latitude, believed.longitude, run[0].latitude, run[0].longitude)
        recent = 0 <= run[0].time - believed.time < _SHORT_HOLE_MS
        if believed.reports < RUN_LENGTH or (recent and not alive and (same_name or jump_m < _SPOOF_M)):
            return believed
        return self._mint(run[0])

    def _jump(self, report: Report) -> str:
        if not self.flights:
            return ""
        believed = self.flights[-1]
        jump_km = distance_m(believed.latitude, believed.longitude, report.latitude, report.longitude) / 1000
        return f"{jump_km:.0f} km in {(report.time - believed.time) / 1000:.1f} s; "


def _apart_ms(flight: Flight, report: Report) -> int:
    """How far in time a report lies from what is known of a flight."""
    return max(report.time - flight.time, flight.first_time - report.time, 0)


def distance_m(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """Great-circle distance, metres (haversine on the mean sphere: within 0.6 % of the ellipsoid)."""
    a, b = math.radians(latitude), math.radians(latitude2)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(longitude2 - longitude) / 2) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(h, 1.0)))


def _reachable(believed: Flight | Report, report: Report) -> bool:
    """Whether an aircraft can be at both places at those times, either way round."""
    if abs(report.latitude - believed.latitude) < _NEAR_DEG and abs(report.longitude - believed.longitude) < _NEAR_DEG:
        return True
    seconds = abs(report.time - believed.time) / 1000
    fastest = max(_FASTEST_M_S, 1.3 * _KNOT_M_S * max(believed.ground_speed_kt or 0.0, report.ground_speed_kt or 0.0))
    way_m = distance_m(believed.latitude, believed.longitude, report.latitude, report.longitude)
    return way_m <= _SLOP_M + fastest * seconds


def _continues(flight: Flight, report: Report) -> bool:
    """Whether a newer report belongs to the flight: the aircraft has not been at a gate in between."""
    hole_ms = report.time - flight.time
    if report.time - flight.first_time > LONGEST_FLIGHT_MS:
        return False
    if flight.on_ground:
        if not flight.flown:  # before its take-off
            return hole_ms < _SHORT_HOLE_MS or (report.on_ground is not True and _flew_directly(flight, report))
        if report.on_ground is not True:
            return report.time - (flight.ground_since or flight.time) < _TOUCH_AND_GO_MS
        renamed = None not in (report.callsign, flight.callsign) and report.callsign != flight.callsign
        parked = report.time - (flight.ground_since or flight.time) >= _PARKED_MS
        return not renamed and not parked and hole_ms < _SILENT_ON_GROUND_MS
    return hole_ms < _SHORT_HOLE_MS or _flew_directly(flight, report)


def _flew_directly(flight: Flight, report: Report) -> bool:
    """Whether the way across a hole took about as long as flying it does, so that there was no time to land."""
    speeds = [speed for speed in (flight.ground_speed_kt, report.ground_speed_kt) if speed]
    speed_m_s = max(speeds, default=_CRUISE_KT) * _KNOT_M_S
    way_m = distance_m(flight.latitude, flight.longitude, report.latitude, report.longitude)
    hole_s = (report.time - flight.time) / 1000
    low_ends = sum(_is_low(end) for end in (flight, report))
    if low_ends == 2 and report.time - flight.time > _LONG_LOW_HOLE_MS:
        return False
    slack_s = (_SLACK_CRUISE_S, _SLACK_ONE_END_LOW_S, _SLACK_LOW_S)[low_ends]
    return hole_s - way_m / speed_m_s < slack_s + _SLACK_SHARE * hole_s


def _is_low(end: Flight | Report) -> bool:
    return bool(end.on_ground) or (end.altitude_ft is not None and end.altitude_ft < _LOW_FT)
