"""The originals of dead letters, decoded again with today's code: bytes in, reports out. Nothing is judged here.

The header `format` of a letter names what its original is:

    flight.v1.Position  a record of `flight.reports`; it goes on as the bytes that it is
    opensky             a state, or a whole answer of /states/all
    readsb              an entry of aircraft.json (its time is that of the header `source_clock`), or all of one
    report              a record with our own names, of a recording

Of the others (`NOT_ALONE`) one record does not make a report.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flight_platform.codec import decode
from flight_platform.errors import UndecodableError
from flight_platform.model import Position
from streaming.dead_letters import POSITION_FORMAT, Letter
from streaming.sources import fields, opensky_format, readsb_format
from streaming.sources.base import Batch
from streaming.sources.readsb import unpacked
from streaming.sources.reports import Decoder

NOT_ALONE: Final[dict[str, str]] = {
    "sbs": "an SBS line is one part of a report: the rest came in the lines before it",
    "beast": "a Mode S frame is one part of a report: its place and time need the frames before it",
    "recording": "one record of this recording does not say all; feed the recording again: flight feed replay FILE",
}
_REPLAY: Final = "replay"  # a recording that was not given a name keeps the `source` of its records


class NotAloneError(UndecodableError):
    """An original that cannot be decoded by itself; the message says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report, and its bytes where it had been one before: these keep the fields that only a newer writer knows."""

    position: Position
    data: bytes | None = None


def decode_again(letter: Letter, received_at: int) -> list[Report]:
    """The reports of a letter's original, all of them.

    Raises NotAloneError where none can be made of it alone, UndecodableError where it still does not decode.
    """
    if letter.truncated:
        raise NotAloneError("of its original only the head was kept, since it is longer than 8 MB")
    record_format = letter.record_format
    if record_format is None:
        raise NotAloneError("an earlier version wrote it, which did not say what its original is")
    if record_format in NOT_ALONE:
        raise NotAloneError(NOT_ALONE[record_format])
    decoder = _DECODERS.get(record_format)
    if decoder is None:
        raise NotAloneError(f"its format {record_format!r} is not known to this version")
    reports = decoder(letter, received_at)
    if not reports:
        raise UndecodableError("it decodes, and holds no position")
    return reports


def _position(letter: Letter, _received_at: int) -> list[Report]:
    return [Report(decode(letter.original), letter.original)]


def _opensky(letter: Letter, received_at: int) -> list[Report]:
    obj, source = _object(letter), _source(letter)
    if opensky_format.is_answer(obj):
        return _all_of(opensky_format.decode_answer(obj, source=source, received_at=received_at))
    return _one(opensky_format.decode_state(obj, source=source, received_at=received_at))


def _readsb(letter: Letter, received_at: int) -> list[Report]:
    obj, source = _object(letter), _source(letter)
    if readsb_format.is_answer(obj):
        return _all_of(readsb_format.decode_answer(obj, source=source, received_at=received_at))
    if readsb_format.is_record(obj):
        return _all_of(readsb_format.decode_record(obj, source=source, received_at=received_at))
    if letter.clock_ms is None:
        raise NotAloneError("it does not say when aircraft.json was told, from which its time counts")
    return _one(readsb_format.decode_aircraft(obj, letter.clock_ms, source=source, received_at=received_at))


def _report(letter: Letter, received_at: int) -> list[Report]:
    source = _source(letter)
    return _one(Decoder(source, keep_source=source == _REPLAY).position(_object(letter), received_at))


_DECODERS: Final[dict[str, Callable[[Letter, int], list[Report]]]] = {
    POSITION_FORMAT: _position,
    "opensky": _opensky,
    "readsb": _readsb,
    "report": _report,
}


def _object(letter: Letter) -> Any:
    return fields.parse_json(unpacked(letter.original))


def _source(letter: Letter) -> str:
    return letter["source"] or "unknown"


def _one(position: Position | None) -> list[Report]:
    return [] if position is None else [Report(position)]


def _all_of(batch: Batch) -> list[Report]:
    """All reports of an answer; a letter is replayed whole or not at all, so that it cannot be so by half."""
    if batch.refused:
        raise UndecodableError(f"{len(batch.refused)} of its records do not decode, first: {batch.refused[0].detail}")
    return [Report(position) for position in batch.positions]
