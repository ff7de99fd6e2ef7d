"""What `flight doctor` shows, and above all what it does not show."""

import json

import pytest

from cli.addresses import masked
from cli.doctor import _java_problem, alerting, shown_settings, tools
from cli.main import main
from flight_platform.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://flight:geheim@db:5432/flight", "postgresql://flight:***@db:5432/flight"),
        ("redis://:geheim@10.0.0.1:9851", "redis://***@10.0.0.1:9851"),
        ("redis://geheim@10.0.0.1:9851", "redis://***@10.0.0.1:9851"),
        ("redis://10.0.0.1:9851?password=geheim", "redis://10.0.0.1:9851?***"),
        ("postgresql://flight:p@ss/geheim@db/flight", "postgresql://flight:***@db/flight"),
        ("geheim", "***"),
        ("redis://127.0.0.1:19851", "redis://127.0.0.1:19851"),
    ],
)
def test_addresses_lose_their_secrets(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert "geheim" not in shown


def test_no_secret_is_shown_whichever_setting_holds_it() -> None:
    settings = Settings.read(
        postgres_url="postgresql://flight:geheim@db/flight",
        analyst_url="postgresql://analyst:geheim@db/flight",
        dagster_url="postgresql://flight:geheim@db/dagster",
        opensky_client_secret="geheim",
        tile38_urls="redis://:geheim@a:1,redis://b:2?password=geheim",
        alert_urls="slack://geheim/geheim/geheim,mailto://user:geheim@mail.example",
        alertmanager_url="http://user:geheim@alerts.example:9093",
    )
    shown = json.dumps(shown_settings(settings))
    assert "geheim" not in shown
    assert "redis://***@a:1, redis://b:2?***" in shown
    assert "slack://***, mailto://***" in shown


def test_where_a_value_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLIGHT_ACTIVE_PORT", "9000")
    shown = shown_settings(Settings.read())
    assert shown["FLIGHT_ACTIVE_PORT"] == {"value": 9000, "from": "environment"}
    assert shown["FLIGHT_HISTORY_PORT"]["from"] == "default"


def test_servers_elsewhere_need_no_tools_here() -> None:
    elsewhere = Settings.read(
        kafka_bootstrap="kafka.example:9092",
        postgres_url="postgresql://flight:x@db.example/flight",
        tile38_urls="redis://live.example:9851",
    )
    assert not [finding.name for finding in tools(elsewhere) if finding.needed]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ('openjdk version "17.0.15" 2025-04-15', None),
        ('openjdk version "21" 2023-09-19', None),
        ('openjdk version "11.0.2" 2019-01-15', "Java 11 is too old"),
        ('java version "1.8.0_412"', "Java 1 is too old"),
        ("nonsense", "Java of unknown version is too old"),
    ],
)
def test_old_java_is_found(output: str, problem: str | None) -> None:
    assert _java_problem(output) == problem


def test_what_does_not_answer_is_failed_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLIGHT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("FLIGHT_POSTGRES_URL", "postgresql://flight:geheim@127.0.0.1:1/flight")
    monkeypatch.setenv("FLIGHT_ANALYST_URL", "postgresql://analyst:geheim@127.0.0.1:1/flight")
    monkeypatch.setenv("FLIGHT_TILE38_URLS", "redis://127.0.0.1:1")
    with pytest.raises(SystemExit) as exit_info:
        main(["doctor", "--json"])
    assert exit_info.value.code == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    failed = {finding["name"]: finding for finding in answer["findings"] if not finding["ok"] and finding["needed"]}
    assert {"Kafka", "Postgres", "Postgres as analyst", "live 1"} <= failed.keys()
    assert "FLIGHT_KAFKA_BOOTSTRAP" in failed["Kafka"]["remedy"]
    assert "geheim" not in json.dumps(answer)


def test_who_is_told_of_alerts_is_said_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.doctor.shutil.which", lambda *_, **__: None)

    def told(**settings: str) -> str:
        found = alerting(Settings.read(**settings))
        assert not [finding.name for finding in found if finding.needed and finding.name != "Alertmanager"]
        return found[-1].found

    assert told() == "nobody"
    assert (
        told(alert_urls="slack://geheim/geheim,mailto://user:geheim@mail.example") == "2 addresses of FLIGHT_ALERT_URLS"
    )
    both = told(alert_urls="slack://geheim", alertmanager_url="http://user:geheim@127.0.0.1:9")
    assert both == "Alertmanager at http://user:***@127.0.0.1:9, then 1 addresses of FLIGHT_ALERT_URLS"


def test_an_alertmanager_that_is_named_and_does_not_answer_is_a_failure() -> None:
    (finding,) = (f for f in alerting(Settings.read(alertmanager_url="http://127.0.0.1:9")) if f.name == "Alertmanager")
    assert (finding.ok, finding.needed) == (False, True)
