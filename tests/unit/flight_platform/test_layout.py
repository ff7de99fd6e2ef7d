"""When feeds hold and trackers stand by; what Kafka really answers is in integration."""

import time

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from flight_platform import layout as module
from flight_platform.layout import Layout, LayoutWatch
from flight_platform.settings import Settings
from flight_platform.testing import wait_until


@pytest.mark.parametrize(
    ("layout", "agrees", "settled"),
    [
        (Layout(reports=4, positions=4, tracker=4), True, True),
        (Layout(reports=4, positions=4, tracker=4, target=6), True, False),
        (Layout(reports=4, positions=4, tracker=6, target=6), False, False),
        (Layout(reports=6, positions=4, tracker=4), False, False),
        (Layout(reports=0, positions=0, tracker=0), False, False),
    ],
    ids=["quiet", "drain", "state", "by hand", "no topics"],
)
def test_what_a_layout_means(layout: Layout, agrees: bool, settled: bool) -> None:
    assert (layout.agrees, layout.settled) == (agrees, settled)


class Kafka:
    """What the watch is told."""

    def __init__(self) -> None:
        self.layout: Layout | None = Layout(reports=4, positions=4, tracker=4)

    def __call__(self, _client: AdminClient, _settings: Settings) -> Layout:
        if self.layout is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return self.layout


def test_nothing_is_sent_before_the_first_look_nor_while_topics_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    kafka = Kafka()
    watch = LayoutWatch(Settings.read(), kafka)
    assert (watch.open_to(), watch.layout) == (None, None)
    with watch:
        wait_until(lambda: watch.open_to() == 4)
        kafka.layout = Layout(reports=4, positions=4, tracker=4, target=6)
        wait_until(lambda: watch.open_to() == 0)
        kafka.layout = Layout(reports=6, positions=6, tracker=6)
        wait_until(lambda: watch.open_to() == 6)


def test_what_was_seen_is_not_trusted_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka()
    watch = LayoutWatch(Settings.read(), kafka)
    watch.look()
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + module.LEASE_S - 0.5)
    assert watch.open_to() == 4
    monkeypatch.setattr(time, "monotonic", lambda: now_s + module.LEASE_S + 0.5)
    assert watch.open_to() is None
    kafka.layout = None
    with pytest.raises(KafkaException):
        watch.look()
    assert watch.layout is not None, "trackers go on by what they saw: Kafka itself keeps them apart"
