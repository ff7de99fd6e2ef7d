"""Settings: what is wrong is said by name, with an example, and secrets are not."""

from pathlib import Path

import pytest

from flight_platform.errors import SettingsError
from flight_platform.settings import PREFIX, Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's environment nor a file of theirs."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_environment_wins_over_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "flight.toml").write_text("kafka_partitions = 6\nlive_window_s = 30\n")
    monkeypatch.setenv("FLIGHT_KAFKA_PARTITIONS", "24")
    settings = Settings.read()
    assert (settings.kafka_partitions, settings.live_window_s) == (24, 30)


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHT_TILE38_URLS", "redis://a:1, redis://b:2")
    assert Settings.read().tile38_urls == ("redis://a:1", "redis://b:2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_partitions", "many"),
        ("kafka_bootstrap", "nowhere"),
        ("tile38_urls", "http://a"),
        ("stall_threshold_s", "-1"),
    ],
)
def test_wrong_setting_is_named_with_an_example(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        Settings.read()
    assert str(caught.value).startswith(f"{variable}: ")
    assert f"Example: {variable}=" in str(caught.value)


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", "mysql://me:hunter2@db/x")
    with pytest.raises(SettingsError) as caught:
        Settings.read()
    assert "hunter2" not in str(caught.value)
    assert "FLIGHT_POSTGRES_URL" in str(caught.value)


def test_unknown_setting_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "flight.toml").write_text("kafka_partition = 6\n")
    with pytest.raises(SettingsError, match="kafka_partition: there is no such setting"):
        Settings.read()


def test_children_get_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.read(tile38_urls=("redis://a:1", "redis://b:2"), kafka_partitions=3)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    child = Settings.read()
    assert (child.tile38_urls, child.kafka_partitions) == (settings.tile38_urls, 3)
