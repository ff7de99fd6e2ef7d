"""Decoding: from Kafka's bytes to what live and history work on. No server."""

from bench.machine import say
from bench.measure import Outcome, Sample, Way, alternate, clocked
from bench.run import Run
from flight_platform import codec

_BATCH = 5_000


def measure(run: Run) -> list[Outcome]:
    """The limit is the library's own step to Arrow columns; the naive way makes an object a report."""
    say("decode: bytes to columns")
    messages = run.tracked(run.pick(20_000, 100_000), ticks=4)
    batches = [messages[start : start + _BATCH] for start in range(0, len(messages), _BATCH)]

    def library() -> Sample:
        with clocked(len(messages)) as sample:
            for batch in batches:
                codec._HANDLER.list_to_record_batch(batch)  # the one place where it is made
        return sample

    def one_by_one() -> Sample:
        with clocked(len(messages)) as sample:
            for message in messages:
                codec.decode(message)
        return sample

    def columns() -> Sample:
        with clocked(len(messages)) as sample:
            for batch in batches:
                codec.decode_columns(batch)
        return sample

    def tracking_rows() -> Sample:
        with clocked(len(messages)) as sample:
            for batch in batches:
                codec.decode_for_tracking(batch)
        return sample

    return alternate(
        [
            Way("ptars to Arrow, nothing else", "limit", library),
            Way("one message, one object", "naive", one_by_one),
            Way("decode_columns (live, history)", "ours", columns),
            Way("decode_for_tracking (track)", "ours", tracking_rows),
        ],
        run.rounds,
    )
