"""OpenSky's `/api/states/all`, decoded: an object in, reports out. Where the object comes from is in `opensky.py`.

Units are SI and longitude comes before latitude. A state without `time_position` is no position: how old its place
is, nobody knows (OpenSky leaves it out where the last one is more than 15 s old).
"""

from typing import Any, Final

from flight_platform.errors import UndecodableError
from flight_platform.model import Kind, Position, clean_callsign
from streaming.sources import fields
from streaming.sources.base import Batch, Refused

_ELEMENTS: Final = 17
_KINDS: Final = {0: Kind.ADSB, 1: Kind.ASTERIX, 2: Kind.MLAT, 3: Kind.FLARM}


def is_answer(obj: object) -> bool:
    """Whether an object looks like an answer of `/states/all`."""
    return isinstance(obj, dict) and "states" in obj


def decode_answer(answer: Any, *, source: str, received_at: int) -> Batch:
    """The reports of an answer; raises UndecodableError where the object as a whole is none."""
    if not is_answer(answer):
        raise UndecodableError("not an answer of /states/all: an object with time and states is expected")
    states = answer["states"] or []
    if not isinstance(states, list):
        raise UndecodableError("not an answer of /states/all: states is no list")
    batch = Batch(clock_ms=fields.moment(answer.get("time"), "time"))
    for state in states:
        try:
            position = decode_state(state, source=source, received_at=received_at)
        except UndecodableError as error:
            original = fields.as_json(state)
            batch.refused.append(Refused.undecodable(original, error))
            continue
        if position is not None:
            batch.positions.append(position)
            batch.originals.append(state)
    return batch


def decode_state(state: Any, *, source: str, received_at: int) -> Position | None:
    """The report of one state, None where it has no position; raises UndecodableError for a field of a wrong type."""
    if type(state) is not list or len(state) < _ELEMENTS:
        raise UndecodableError(f"a state is a list of {_ELEMENTS} elements or more")
    (hex_, callsign, _country, time, _contact, longitude, latitude, baro_m, on_ground) = state[:9]
    (speed, track, rate, _sensors, geo_m, squawk, _spi, origin) = state[9:_ELEMENTS]
    if time is None or latitude is None or longitude is None:
        return None
    name = fields.plain_text(callsign, "callsign")
    return Position(
        icao24=fields.address(hex_, "icao24"),
        time=fields.moment(time, "time_position"),
        received_at=received_at,
        latitude=fields.degrees(latitude, "latitude"),
        longitude=fields.degrees(longitude, "longitude"),
        altitude_ft=fields.whole(baro_m, "baro_altitude", unit=fields.FOOT_M),
        geometric_altitude_ft=fields.whole(geo_m, "geo_altitude", unit=fields.FOOT_M),
        on_ground=fields.flag(on_ground, "on_ground"),
        ground_speed_kt=fields.tenths(speed, "velocity", unit=fields.KNOT_M_S),
        track_deg=fields.track(track, "true_track"),
        vertical_rate_fpm=fields.whole(rate, "vertical_rate", unit=fields.FEET_A_MINUTE_M_S),
        callsign=None if name is None else clean_callsign(name),
        squawk=fields.squawk(squawk),
        kind=None if origin is None else _KINDS.get(fields.whole(origin, "position_source") or 0),
        source=source,
    )
