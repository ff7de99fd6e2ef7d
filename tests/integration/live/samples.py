"""Position reports as the live tests need them: drawn by hypothesis, every field known or not, odd texts included."""

from dataclasses import replace

from hypothesis import strategies as st

from flight_platform.codec import Columns, decode_columns, encode
from flight_platform.model import Emergency, Kind, Position, icao24_of, make_flight_id

# Texts that Tile38 would take for numbers or JSON, that RESP or JSON must escape, that end in the middle of nothing.
ODD_TEXTS = (
    *("", "0", "00", "0123", "7700", "123E45", "1e999", "-0", "0x10", "NAN", "nan", "INF", "-inf", "+Inf", "infinity"),
    *("true", "null", "{}", "[1]", '"', 'a"b', "\\", "\\u0041", "\r\n", "\x01", "a\x00b", "Ä", "日本", "*2", "$5"),
)


def _fits(width: int) -> st.SearchStrategy[str]:
    texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(codec="utf-8"), max_size=width))
    # Texts come without padding; those of `Columns` end at their width.
    return texts.filter(lambda text: len(text.encode()) <= width and text == text.rstrip(" \0"))


def optional(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), values)


_INT32 = st.one_of(st.integers(-3000, 140_000), st.integers(-(2**31), 2**31 - 1))

POSITIONS = st.builds(
    Position,
    icao24=st.just("000000"),
    flight_id=st.builds(make_flight_id, st.integers(0, 2**25 - 1), st.integers(0, 2**32 - 1)),
    time=st.one_of(st.integers(1_700_000_000_000, 1_900_000_000_000), st.integers(0, 2**44)),
    received_at=st.one_of(st.integers(1_700_000_000_000, 1_900_000_000_000), st.integers(-(2**40), 2**44)),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda steps: steps / 10**7),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda steps: steps / 10**7),
    altitude_ft=optional(_INT32),
    geometric_altitude_ft=optional(_INT32),
    on_ground=optional(st.booleans()),
    ground_speed_kt=optional(st.integers(-32_768, 32_767).map(lambda steps: steps / 10)),
    track_deg=optional(st.integers(0, 3599).map(lambda steps: steps / 10)),
    vertical_rate_fpm=optional(_INT32),
    callsign=optional(_fits(8)),
    squawk=optional(_fits(4)),
    emergency=optional(st.sampled_from(Emergency)),
    kind=optional(st.sampled_from(Kind)),
    source=optional(_fits(32)),
).map(lambda position: replace(position, icao24=icao24_of((position.flight_id or 0) >> 32)))

BATCHES = st.lists(POSITIONS, min_size=1, max_size=8, unique_by=lambda position: position.flight_id)


def columns_of(positions: list[Position]) -> Columns:
    columns, undecodable = decode_columns([encode(position) for position in positions])
    assert not undecodable
    return columns


def sample(number: int, time: int, **changes: object) -> Position:
    """A plain report of the aircraft of that number."""
    address = 0x3C0000 + number
    values = {
        "icao24": icao24_of(address),
        "flight_id": make_flight_id(address, 1_700_000_000),
        "time": time,
        "received_at": time + 100,
        "latitude": (number * 7919 % 160_000 - 80_000) / 1000,
        "longitude": (number * 104_729 % 359_000 - 179_000) / 1000,
        "altitude_ft": number % 40_000,
        "callsign": f"DLH{number % 10_000}",
        "kind": Kind.ADSB,
        "source": "test",
    }
    return Position(**{**values, **changes})  # type: ignore[arg-type]
