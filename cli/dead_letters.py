"""`flight dead-letters list|show`: reads what was refused, with its headers. It reads and never moves anything."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import say, say_json, table
from flight_platform.errors import FlightError, InvalidIdentifierError

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from flight_platform.settings import Settings

_SHOWN = 100  # characters of a detail or an original in a table
_READ_TIMEOUT_S = 10.0
_BATCH_TIMEOUT_S = 0.1  # a batch that is not full waits this long


def list_letters(
    *,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many; the counts are of all.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Counts the dead letters by reason and lists the newest."""
    from flight_platform.settings import Settings

    letters = [
        letter
        for letter in read_all(Settings.read())
        if (reason is None or letter["reason"] == reason) and (source is None or letter["source"] == source)
    ]
    letters.sort(key=lambda letter: str(letter["refused_at"] or ""))
    counts = Counter(str(letter["reason"]) for letter in letters)
    newest = letters[len(letters) - limit :] if limit < len(letters) else letters
    if as_json:
        say_json({"counts": dict(counts), "dead_letters": newest})
        return
    if not letters:
        say("no dead letters")
        return
    say(table(["reason", "count"], counts.most_common()))
    if newest:
        head = ["id", "refused_at", "stage", "source", "reason", "detail"]
        say()
        say(table(head, [[str(letter[name] or "-")[:_SHOWN] for name in head] for letter in newest]))


def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="partition:offset, as `dead-letters list` shows it")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Shows one dead letter whole: its headers and the original record."""
    from flight_platform.settings import Settings

    partition, colon, offset = letter_id.partition(":")
    if not (colon and partition.isdigit() and offset.isdigit()):
        raise InvalidIdentifierError(f"{letter_id!r} is no dead letter's id: it looks like 0:17 (partition:offset)")
    letter = read_one(Settings.read(), int(partition), int(offset))
    if as_json:
        say_json(letter)
        return
    for name, value in letter.items():
        if name != "original" and value is not None:
            say(f"{name:<11} {value}")
    say()
    say(str(letter["original"]))


def read_all(settings: "Settings") -> Iterator[dict[str, Any]]:
    """Every dead letter that Kafka still holds, up to where the topic ends now."""
    from confluent_kafka import TopicPartition

    from flight_platform.names import TOPIC_DEAD_LETTERS

    with _reader(settings) as client:
        topic = settings.topic(TOPIC_DEAD_LETTERS)
        present = client.list_topics(topic, timeout=5).topics[topic]
        spans = {p: client.get_watermark_offsets(TopicPartition(topic, p), timeout=5) for p in present.partitions}
        open_spans = {p: high for p, (low, high) in spans.items() if high > low}
        client.assign([TopicPartition(topic, p, spans[p][0]) for p in open_spans])
        while open_spans:
            for message in _batch(client, 500, _BATCH_TIMEOUT_S):
                yield describe(message)
            # The position passes transaction markers too, which never arrive as messages.
            for place in client.position([TopicPartition(topic, p) for p in open_spans]):
                if place.offset >= open_spans[place.partition]:
                    del open_spans[place.partition]


def read_one(settings: "Settings", partition: int, offset: int) -> dict[str, Any]:
    """The dead letter at a place; raises FlightError where there is none."""
    from confluent_kafka import TopicPartition

    from flight_platform.names import TOPIC_DEAD_LETTERS

    topic = settings.topic(TOPIC_DEAD_LETTERS)
    missing = FlightError(
        f"there is no dead letter {partition}:{offset}; `flight dead-letters list` shows those there are"
    )
    with _reader(settings) as client:
        if partition not in client.list_topics(topic, timeout=5).topics[topic].partitions:
            raise missing
        low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
        if not low <= offset < high:
            raise missing
        client.assign([TopicPartition(topic, partition, offset)])
        message = next(iter(_batch(client, 1, _READ_TIMEOUT_S)), None)
    if message is None or message.offset() != offset:
        raise missing
    return describe(message)


def describe(message: "Message") -> dict[str, Any]:
    """A dead letter as names and values; `original` is text, or hex where the bytes are no UTF-8."""
    from flight_platform.kafka import headers_of
    from flight_platform.names import Header

    headers = headers_of(message)
    original = message.value() or b""
    try:
        text = bytes(original).decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        text, encoding = bytes(original).hex(), "hex"
    known = (Header.REASON, Header.DETAIL, Header.STAGE, Header.SOURCE, Header.REFUSED_AT)
    return {
        "id": f"{message.partition()}:{message.offset()}",
        **{name: headers.get(name) for name in known},
        "from_topic": headers.get(Header.TOPIC),
        "from_partition": headers.get(Header.PARTITION),
        "from_offset": headers.get(Header.OFFSET),
        "encoding": encoding,
        "original": text,
    }


class _reader:  # noqa: N801  # a context manager, used as a function
    """A consumer of no group; one clear line where Kafka does not answer."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings

    def __enter__(self) -> "Consumer":
        from flight_platform import kafka

        self._client = kafka.consumer(self._settings, group=self._settings.group("cli"))
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from confluent_kafka import KafkaException

        from cli.topics import unavailable

        self._client.close()
        if isinstance(error, KafkaException):
            raise unavailable(self._settings, error) from error


def _batch(client: "Consumer", size: int, timeout_s: float) -> "list[Message]":
    from confluent_kafka import KafkaException

    messages = client.consume(size, timeout_s)
    for message in messages:
        problem = message.error()
        if problem is not None:
            raise KafkaException(problem)
    return messages
