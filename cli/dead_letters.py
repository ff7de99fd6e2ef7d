"""`flight dead-letters list|show`: what was refused, why, and what of it has been replayed. It reads and moves nothing.

How a letter is read is in `streaming/dead_letter_topic.py`; the replay is in `replay_dead_letters.py` beside this.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import say, say_json, table
from flight_platform.errors import InvalidIdentifierError, SettingsError
from flight_platform.names import Header, Reason

if TYPE_CHECKING:
    from flight_platform.settings import Settings
    from streaming.dead_letter_topic import Wanted
    from streaming.dead_letters import Letter, Mark, Place

_SHOWN = 100  # characters of a detail in a table
_DUMPED_BYTES = 512  # of a binary original: 32 lines
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
_UNIT_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

ReasonOption = Annotated[Reason | None, typer.Option(help="Only with this reason.")]
SourceOption = Annotated[str | None, typer.Option(help="Only of this source.")]
SinceOption = Annotated[str | None, typer.Option(help="Refused since: ISO 8601 (UTC), or an age as 90min, 2h, 3d.")]
UntilOption = Annotated[str | None, typer.Option(help="Refused before: the same.")]


def list_letters(
    *,
    reason: ReasonOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(help="The newest so many; the counts are of all.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Counts the dead letters by reason and source and lists the newest."""
    from flight_platform.settings import Settings
    from streaming.dead_letter_topic import read_all

    settings = Settings.read()
    wanted = wanted_letters(reason, source, since, until)
    with answering(settings):
        survey = Survey.of(read_all(settings), wanted, limit, originals=as_json)
    if as_json:
        say_json(survey.as_json())
    else:
        _say_survey(survey)


def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="partition:offset, as `dead-letters list` shows it")],
    *,
    raw: Annotated[bool, typer.Option("--raw", help="The original bytes alone, to standard output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Shows one dead letter whole: its headers and the original record."""
    from flight_platform.settings import Settings
    from streaming.dead_letter_topic import read_one

    settings = Settings.read()
    place = place_of(letter_id)
    with answering(settings):
        letter = read_one(settings, place)
    if raw:
        sys.stdout.buffer.write(letter.original)
        sys.stdout.buffer.flush()
    elif as_json:
        say_json(describe(letter))
    else:
        for name, value in describe(letter).items():
            if name not in {"original", "encoding", "other_headers"} and value is not None:
                say(f"{name:<15} {str(value).replace(chr(10), chr(10) + ' ' * 16)}")
        for name, value in describe(letter)["other_headers"].items():
            say(f"{name:<15} {value}")
        say()
        say(readable(letter))


def wanted_letters(
    reason: Reason | None, source: str | None, since: str | None, until: str | None, letter_ids: Iterable[str] = ()
) -> "Wanted":
    """The filter that the options mean; raises SettingsError or InvalidIdentifierError."""
    from flight_platform import kafka
    from streaming.dead_letter_topic import Wanted

    now_ms = kafka.now_ms()
    return Wanted(
        reason=reason,
        source=source,
        since_ms=None if since is None else moment(since, "since", now_ms),
        until_ms=None if until is None else moment(until, "until", now_ms),
        places=frozenset(place_of(letter_id) for letter_id in letter_ids),
    )


def place_of(letter_id: str) -> "Place":
    """Partition and offset of a letter's id."""
    from streaming.dead_letters import parse_place

    place = parse_place(letter_id)
    if place is None:
        raise InvalidIdentifierError(f"{letter_id!r} is no dead letter's id: it looks like 0:17 (partition:offset)")
    return place


def moment(text: str, option: str, now_ms: int) -> int:
    """Unix milliseconds of a time, or of an age before now."""
    from flight_platform.codec import parse_time

    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return now_ms - round(float(age[1]) * _UNIT_MS[age[2]])
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--{option} is {text!r}: a time or an age is expected. Example: --{option} 2026-01-31T12:00Z or 2h"
        ) from None


@contextmanager
def answering(settings: "Settings") -> Iterator[None]:
    """One clear line where Kafka does not answer."""
    from confluent_kafka import KafkaException

    from cli.topics import unavailable

    try:
        yield
    except KafkaException as error:
        raise unavailable(settings, error) from error


@dataclass(slots=True)
class Survey:
    """The letters that a filter takes: counts of all, the newest whole, and when which was replayed."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by reason and source
    replayed: Counter[tuple[str, str]] = field(default_factory=Counter)
    newest: "list[Letter]" = field(default_factory=list)
    replayed_at: "dict[Place, str]" = field(default_factory=dict)

    @classmethod
    def of(
        cls, entries: "Iterable[Letter | Mark]", wanted: "Wanted", limit: int, *, originals: bool = True
    ) -> "Survey":
        """Reads all and keeps the newest, their originals only where these are shown: one may have 8 MB."""
        from streaming.dead_letters import Letter

        survey = cls()
        kinds: dict[Place, tuple[str, str]] = {}
        for entry in entries:
            if not isinstance(entry, Letter):
                survey.replayed_at[entry.of] = entry.replayed_at
            elif wanted.takes(entry):
                kinds[entry.place] = entry[Header.REASON] or "-", entry[Header.SOURCE] or "-"
                survey.newest.append(entry if originals else replace(entry, original=b""))
                if len(survey.newest) > 2 * limit:
                    survey._forget(limit)
        survey._forget(limit)
        survey.counts.update(kinds.values())
        survey.replayed.update(kind for place, kind in kinds.items() if place in survey.replayed_at)
        return survey

    def _forget(self, limit: int) -> None:
        self.newest.sort(key=lambda letter: (letter.refused_at_ms or 0, letter.place))
        del self.newest[: max(0, len(self.newest) - limit)]

    def by_reason(self) -> dict[str, int]:
        """How many letters each reason has, the most first."""
        reasons = Counter[str]()
        for (reason, _), count in self.counts.items():
            reasons[reason] += count
        return dict(reasons.most_common())

    def by_source(self) -> list[tuple[str, str, int, int]]:
        """Reason, source, letters and how many of these were replayed; the most first."""
        return [(*kind, count, self.replayed[kind]) for kind, count in self.counts.most_common()]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        head = ("reason", "source", "count", "replayed")
        return {
            "counts": self.by_reason(),
            "by_source": [dict(zip(head, row, strict=True)) for row in self.by_source()],
            "dead_letters": [
                {**describe(letter), "replayed_at": self.replayed_at.get(letter.place)} for letter in self.newest
            ],
        }


def _say_survey(survey: Survey) -> None:
    if not survey.counts:
        say("no dead letters")
        return
    say(table(["reason", "source", "count", "replayed"], survey.by_source()))
    if survey.newest:
        head = [Header.REFUSED_AT, Header.STAGE, Header.SOURCE, Header.REASON, Header.DETAIL]
        say()
        say(
            table(
                ["id", "replayed", *head],
                [
                    [
                        letter.id,
                        "yes" if letter.place in survey.replayed_at else "no",
                        *(" ".join((letter[name] or "-").split())[:_SHOWN] for name in head),
                    ]
                    for letter in survey.newest
                ],
            )
        )


_NAMED = {  # header: its name in JSON, where that is another
    Header.REASON: None,
    Header.DETAIL: None,
    Header.EXCEPTION: None,
    Header.STAGE: None,
    Header.SOURCE: None,
    Header.FORMAT: None,
    Header.SOURCE_CLOCK: None,
    Header.REFUSED_AT: None,
    Header.TOPIC: "from_topic",
    Header.PARTITION: "from_partition",
    Header.OFFSET: "from_offset",
    Header.TRUNCATED: None,
    Header.ORIGINAL_BYTES: None,
    Header.ORIGINAL_SHA256: None,
}


def describe(letter: "Letter") -> dict[str, Any]:
    """A dead letter as names and values; `original` is text, or hex where the bytes are no UTF-8.

    Headers that this version does not know are kept as they are.
    """
    try:
        text, encoding = letter.original.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = letter.original.hex(), "hex"
    return {
        "id": letter.id,
        **{ours or header: letter[header] for header, ours in _NAMED.items()},
        Header.ORIGINAL_BYTES: int(letter[Header.ORIGINAL_BYTES] or len(letter.original)),
        "other_headers": {name: value for name, value in letter.headers.items() if name not in _NAMED},
        "encoding": encoding,
        "original": text,
    }


def readable(letter: "Letter") -> str:
    """The original for people: JSON in lines, text as it is, a report with its fields, other bytes as hex."""
    from flight_platform.codec import decode, to_record
    from flight_platform.errors import UndecodableError
    from streaming.dead_letters import POSITION_FORMAT

    if letter.record_format == POSITION_FORMAT:
        try:
            record = to_record(decode(letter.original))
        except UndecodableError:
            return hex_dump(letter.original)
        return json.dumps(record, indent=2, ensure_ascii=False)
    try:
        text = letter.original.decode()
    except UnicodeDecodeError:
        return hex_dump(letter.original)
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text if text.isprintable() or text.split() else hex_dump(letter.original)


def hex_dump(data: bytes) -> str:
    """The head of some bytes: offset, hex, and what is printable of them."""
    lines = []
    for at in range(0, min(len(data), _DUMPED_BYTES), 16):
        part = data[at : at + 16]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {part.hex(' '):<47}  {seen}")
    if len(data) > _DUMPED_BYTES:
        lines.append(f"... {len(data):,} bytes in all; --raw writes them")
    return "\n".join(lines)
