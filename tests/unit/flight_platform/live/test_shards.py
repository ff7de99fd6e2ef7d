import numpy as np
import pytest

from flight_platform.errors import SettingsError
from flight_platform.live.shards import Placement, Shard, parse_shards

FLIGHT_IDS = np.random.default_rng(1).integers(0, 2**57, 20_000)


def shards(count: int) -> tuple[Shard, ...]:
    return tuple(Shard(f"10.0.0.{number}", 9851) for number in range(count))


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_each_flight_has_its_copies_spread_evenly(copies: int) -> None:
    holders = Placement(shards(5), copies).holders(FLIGHT_IDS)
    assert (holders.sum(axis=0) == copies).all()
    shares = holders.mean(axis=1)
    assert shares == pytest.approx([copies / 5] * 5, abs=0.02)


def test_the_order_of_the_list_does_not_matter() -> None:
    forwards = Placement(shards(4), 2).holders(FLIGHT_IDS)
    backwards = Placement(shards(4)[::-1], 2).holders(FLIGHT_IDS)
    assert (forwards == backwards[::-1]).all()


def test_a_new_server_takes_its_share_and_moves_nothing_else() -> None:
    before = Placement(shards(4), 1).holders(FLIGHT_IDS)
    after = Placement(shards(5), 1).holders(FLIGHT_IDS)
    moved = (before != after[:4]).any(axis=0)
    assert (moved == after[4]).all()
    assert moved.mean() == pytest.approx(1 / 5, abs=0.02)


def test_more_copies_than_servers_are_as_many_as_there_are() -> None:
    assert Placement(shards(2), 5).holders(FLIGHT_IDS[:3]).all()


def test_a_new_password_moves_no_flight() -> None:
    old = Placement([Shard("a", 1, "old"), Shard("b", 1, "old")], 1).holders(FLIGHT_IDS)
    new = Placement([Shard("a", 1, "new"), Shard("b", 1)], 1).holders(FLIGHT_IDS)
    assert (old == new).all()


def test_addresses() -> None:
    plain, secret, six = parse_shards(["redis://h1", "rediss://:p%40ss@h2:1234", "redis://[::1]:77"])
    assert (plain.host, plain.port, plain.password, plain.tls) == ("h1", 9851, None, False)
    assert (secret.host, secret.port, secret.password, secret.tls) == ("h2", 1234, "p@ss", True)
    assert six.label == "[::1]:77"
    assert "p@ss" not in f"{secret} {secret!r} {secret.label}"


@pytest.mark.parametrize("urls", [["redis://"], ["redis://h:notaport"], ["redis://h:1", "redis://:pw@h:1"]])
def test_wrong_addresses_are_refused_without_showing_a_password(urls: list[str]) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse_shards(urls)
    assert "FLIGHT_TILE38_URLS" in str(refusal.value)
    assert "pw" not in str(refusal.value)
