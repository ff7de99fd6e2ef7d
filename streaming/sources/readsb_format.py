"""readsb's aircraft.json and its relatives, decoded: objects in, reports out. Where the objects come from is in
`readsb.py`.

One decoder takes all flavours: readsb and tar1090, dump1090's old names (`altitude`, `speed`, `vert_rate`), the v2
APIs (`ac`, `now` in milliseconds), single records that carry their own `now`, and tar1090's traces.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flight_platform.errors import UndecodableError
from flight_platform.model import Emergency, Kind, Position, clean_callsign
from streaming.sources import fields
from streaming.sources.base import Batch, Refused

_EMERGENCIES: Final = {
    "none": Emergency.NONE,
    "general": Emergency.GENERAL,
    "lifeguard": Emergency.MEDICAL,
    "minfuel": Emergency.MINIMUM_FUEL,
    "nordo": Emergency.NO_RADIO,
    "unlawful": Emergency.UNLAWFUL,
    "downed": Emergency.DOWNED,
    "reserved": Emergency.RESERVED,
}
_KINDS: Final = {
    "adsb_icao": Kind.ADSB,
    "adsb_icao_nt": Kind.ADSB,
    "adsb_other": Kind.ADSB,
    "adsr_icao": Kind.ADSR,
    "adsr_other": Kind.ADSR,
    "tisb_icao": Kind.TISB,
    "tisb_other": Kind.TISB,
    "tisb_trackfile": Kind.TISB,
    "adsc": Kind.ADSC,
    "mlat": Kind.MLAT,
    "mode_s": Kind.MODE_S,
    "other": Kind.OTHER,
}
_LISTS: Final = ("aircraft", "ac")
# Flags of a trace's row.
_GEOMETRIC_RATE, _GEOMETRIC_ALTITUDE = 4, 8


def is_answer(obj: object) -> bool:
    """Whether an object looks like an aircraft.json."""
    return isinstance(obj, dict) and any(name in obj for name in _LISTS)


def is_record(obj: object) -> bool:
    """Whether an object looks like one aircraft's record with its own time."""
    return isinstance(obj, dict) and "hex" in obj and "now" in obj


def is_trace(obj: object) -> bool:
    """Whether an object looks like a tar1090 trace."""
    return isinstance(obj, dict) and "icao" in obj and "trace" in obj


def decode_answer(answer: Any, *, source: str, received_at: int) -> Batch:
    """The reports of an aircraft.json; raises UndecodableError where the object as a whole is none."""
    if not isinstance(answer, dict):
        raise UndecodableError("not an aircraft.json: an object with now and aircraft is expected")
    name = next((name for name in _LISTS if name in answer), None)
    if name is None or "now" not in answer:
        raise UndecodableError(f"not an aircraft.json: no {'now' if name else 'aircraft'} in it")
    entries = answer[name] or []
    if not isinstance(entries, list):
        raise UndecodableError(f"not an aircraft.json: {name} is no list")
    now_ms = fields.moment(answer["now"], "now")
    batch = Batch(clock_ms=now_ms)
    for entry in entries:
        _add(batch, entry, now_ms, source, received_at)
    return batch


def decode_record(record: Any, *, source: str, received_at: int) -> Batch:
    """The report of one aircraft's record with its own `now`, or its refusal."""
    try:
        now_ms = fields.moment(record["now"], "now")
    except UndecodableError as error:
        return Batch(refused=[_refused(record, error)])
    except (KeyError, TypeError):
        return Batch(refused=[_refused(record, UndecodableError("a record without now"))])
    batch = Batch(clock_ms=now_ms)
    _add(batch, record, now_ms, source, received_at)
    return batch


def _add(batch: Batch, entry: Any, now_ms: int, source: str, received_at: int) -> None:
    try:
        position = decode_aircraft(entry, now_ms, source=source, received_at=received_at)
    except UndecodableError as error:
        batch.refused.append(_refused(entry, error))
        return
    if position is not None:
        batch.positions.append(position)
        batch.originals.append(entry)


def _refused(entry: Any, problem: UndecodableError) -> Refused:
    return Refused.undecodable(fields.as_json(entry), problem)


def decode_aircraft(entry: Any, now_ms: int, *, source: str, received_at: int) -> Position | None:
    """The report of one entry, None where it has no position; raises UndecodableError where a field has a wrong type.

    A `lastPosition` is taken with its own time, but without altitude, speed and direction: those in the entry are of
    now.
    """
    if type(entry) is not dict:
        raise UndecodableError("an entry of aircraft that is no object")
    place, moving = entry, entry
    if entry.get("lat") is None and entry.get("lastPosition") is not None:
        place, moving = entry["lastPosition"], {}
        if type(place) is not dict:
            raise UndecodableError("lastPosition is no object")
    get = place.get
    latitude, longitude = get("lat"), get("lon")
    if latitude is None or longitude is None:
        return None
    altitude = _first(moving, "alt_baro", "altitude")
    grounded = altitude == "ground"
    written = type(altitude) is str and not grounded
    if written:  # some writers of the v2 format make "0" of ground: the number is taken, the ground is not known
        altitude = _written_number(altitude)
    callsign = fields.text(entry, "flight")
    return Position(
        icao24=fields.address(entry.get("hex"), "hex"),
        time=_time(place, entry, now_ms),
        received_at=received_at,
        latitude=fields.degrees(latitude, "lat"),
        longitude=fields.degrees(longitude, "lon"),
        altitude_ft=None if grounded else fields.whole(altitude, "alt_baro"),
        geometric_altitude_ft=fields.whole(moving.get("alt_geom"), "alt_geom"),
        on_ground=None if altitude is None or written else grounded,
        ground_speed_kt=fields.tenths(_first(moving, "gs", "speed", "gscp"), "gs"),
        track_deg=fields.track(moving.get("track")),
        vertical_rate_fpm=fields.whole(_first(moving, "baro_rate", "geom_rate", "vert_rate"), "baro_rate"),
        callsign=None if callsign is None else clean_callsign(callsign),
        squawk=fields.squawk(entry.get("squawk")),
        emergency=_EMERGENCIES.get(fields.text(entry, "emergency") or ""),
        kind=_kind(entry),
        source=source,
    )


def _written_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UndecodableError(f'alt_baro is {text[:50]!r}: a number or "ground" is expected') from None


def _first(entry: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that is known."""
    for name in names:
        value = entry.get(name)
        if value is not None:
            return value
    return None


def _time(place: Mapping[str, Any], entry: Mapping[str, Any], now_ms: int) -> int:
    """When the position was true. Without `seen_pos` the newest message's age is the best that is known."""
    age = _first(place, "seen_pos")
    if age is None:
        age = _first(entry, "seen")
    if age is None:
        return now_ms
    age_ms = fields.whole(age, "seen_pos", unit=0.001)
    return fields.checked_moment(now_ms - (age_ms or 0), "now - seen_pos")


def _kind(entry: Mapping[str, Any]) -> Kind | None:
    """How the position came about: the list of derived fields knows it better than the type of the address."""
    for name, kind in (("mlat", Kind.MLAT), ("tisb", Kind.TISB)):
        derived = entry.get(name)
        if derived and isinstance(derived, list) and "lat" in derived:
            return kind
    stated = fields.text(entry, "type")
    if stated is not None:
        return _KINDS.get(stated)
    # dump1090 has no type: it knows nothing but squitters and what it lists as derived.
    return Kind.ADSB if "mlat" in entry and "tisb" in entry else None


def decode_trace(trace: Any, *, source: str, received_at: int) -> Iterator[Batch]:
    """The reports of a tar1090 trace in one batch; raises UndecodableError where the object as a whole is none.

    Callsign, squawk and the like stand in few rows and hold until the next of them.
    """
    if not isinstance(trace, dict) or not isinstance(trace.get("trace"), list):
        raise UndecodableError("not a tar1090 trace: an object with icao, timestamp and trace is expected")
    hex_, base_ms = fields.address(trace.get("icao"), "icao"), fields.moment(trace.get("timestamp"), "timestamp")
    batch, held = Batch(), dict[str, Any]()
    for row in trace["trace"]:
        try:
            entry, time_ms = _entry_of_row(row, hex_, base_ms)
            if isinstance(entry.get("details"), dict):
                held = entry["details"]
            position = decode_aircraft({**held, **entry}, time_ms, source=source, received_at=received_at)
        except UndecodableError as error:
            batch.refused.append(_refused(row, error))
            continue
        if position is not None:
            batch.positions.append(position)
            batch.originals.append(row)
    yield batch


def _entry_of_row(row: Any, hex_: str, base_ms: int) -> tuple[dict[str, Any], int]:
    """A trace's row as an entry of aircraft.json, and its time."""
    if not isinstance(row, list) or len(row) < 9:
        raise UndecodableError("a row of a trace has nine values or more")
    dt, lat, lon, altitude, speed, direction, flags, rate, details = row[:9]
    marks = fields.whole(flags, "flags") or 0
    time_ms = fields.checked_moment(base_ms + (fields.whole(dt, "dt", unit=0.001) or 0), "timestamp + dt")
    geometric = bool(marks & _GEOMETRIC_ALTITUDE) and altitude != "ground"
    entry = {
        "hex": hex_,
        "lat": lat,
        "lon": lon,
        "seen_pos": 0,
        "alt_baro": None if geometric else altitude,
        "alt_geom": altitude if geometric else row[10] if len(row) > 10 else None,
        "gs": speed,
        "track": direction,
        "baro_rate": None if marks & _GEOMETRIC_RATE else rate,
        "geom_rate": rate if marks & _GEOMETRIC_RATE else None,
        "details": details,
    }
    if len(row) > 9 and row[9] is not None:
        entry["type"] = row[9]
    return entry, time_ms
