"""What follows closed hours by itself: what is missing, whenever it was missed, and what was made anew."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from assets.automation import FOLLOWS
from assets.partitions import HOURS, START, key_of

UPSTREAM = dg.AssetKey("upstream")
FOLLOWER = dg.AssetKey("follower")
LONG_AGO, LATER = key_of(START), "2026-02-03-04:00"


@dg.asset(key=FOLLOWER, deps=[UPSTREAM], partitions_def=HOURS, automation_condition=FOLLOWS)
def follower() -> None: ...


class House:
    """A Dagster instance, and what the condition asks for at each look."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._defs = dg.Definitions(assets=[dg.AssetSpec(UPSTREAM, partitions_def=HOURS), follower])
        self._instance = instance
        self._cursor: Any = None

    def made(self, key: dg.AssetKey, *hours: str) -> None:
        for hour in hours:
            self._instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=hour))

    def asked(self) -> set[str]:
        result = dg.evaluate_automation_conditions(
            self._defs, self._instance, asset_selection=dg.AssetSelection.assets(FOLLOWER), cursor=self._cursor
        )
        self._cursor = result.cursor
        return {key for key in result.get_requested_partitions(FOLLOWER) if key}


@pytest.fixture
def house() -> Iterator[House]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield House(instance)


def test_hours_that_are_there_are_followed_and_then_left_alone(house: House) -> None:
    assert house.asked() == set()
    house.made(UPSTREAM, LONG_AGO, LATER)
    assert house.asked() == {LONG_AGO, LATER}
    house.made(FOLLOWER, LONG_AGO, LATER)
    assert house.asked() == set()


def test_what_was_missed_before_the_first_look_is_asked_for(house: House) -> None:
    house.made(UPSTREAM, LONG_AGO, LATER)
    house.made(FOLLOWER, LATER)
    assert house.asked() == {LONG_AGO}


def test_an_hour_that_was_made_anew_is_followed_anew(house: House) -> None:
    house.made(UPSTREAM, LONG_AGO, LATER)
    house.asked()
    house.made(FOLLOWER, LONG_AGO, LATER)
    house.asked()
    house.made(UPSTREAM, LATER)
    assert house.asked() == {LATER}
    house.made(FOLLOWER, LATER)
    assert house.asked() == set()
