"""Settings: the one module that reads the environment.

Precedence: arguments, `FLIGHT_*` environment variables, the TOML file that `FLIGHT_CONFIG` names (`flight.toml` in the
working folder where it is unset), defaults. Settings are frozen once read.
"""

import os
import socket
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from flight_platform.errors import SettingsError

PREFIX = "FLIGHT_"


class Settings(BaseSettings):
    """All settings with their defaults: those of one developer's machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    # Kafka
    kafka_bootstrap: str = Field("127.0.0.1:19092", pattern=r".+:\d+", examples=["127.0.0.1:19092"])
    kafka_partitions: int = Field(12, ge=1, le=1024, examples=[12], description="partitions of each data topic")
    kafka_replication: int = Field(1, ge=1, le=9, examples=[3])
    kafka_topic_prefix: str = Field(
        "",
        pattern=r"[A-Za-z0-9._-]*",
        examples=["staging."],
        description="for platforms that share one Kafka",
    )

    # Live
    tile38_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        ("redis://127.0.0.1:19851",), min_length=1, examples=["redis://10.0.0.1:9851,redis://10.0.0.2:9851"]
    )
    tile38_copies: int = Field(1, ge=1, le=8, examples=[2], description="live servers that hold each flight")
    live_window_s: float = Field(60, gt=0, le=3600, examples=[60], description="age at which a position is worthless")

    # History
    postgres_url: SecretStr = Field(
        SecretStr("postgresql://flight:flight@127.0.0.1:15432/flight"),
        examples=["postgresql://flight:secret@db.example:5432/flight"],
    )
    analyst_url: SecretStr = Field(
        SecretStr("postgresql://analyst:analyst@127.0.0.1:15432/flight"),
        examples=["postgresql://analyst:secret@db.example:5432/flight"],
    )
    dagster_url: SecretStr = Field(
        SecretStr("postgresql://flight:flight@127.0.0.1:15432/dagster"),
        examples=["postgresql://flight:secret@db.example:5432/dagster"],
    )
    history_start: date = Field(
        date(2026, 1, 1), examples=["2026-01-01"], description="first day (UTC) that Dagster sees as partitions"
    )
    partitions_ahead_days: int = Field(7, ge=1, le=60, examples=[7])
    archive: Path = Field(
        Path("var/archive"), examples=["/srv/flight/archive"], description="folder of the Parquet archive, a file a day"
    )
    archive_after_h: float = Field(
        26, ge=0, examples=[26], description="a day is archived so long after its end: reports may be a day late"
    )
    keep_days: int = Field(
        90, ge=2, le=36_500, examples=[90], description="days that stay in Postgres; older: in the archive alone"
    )

    # Reference
    aircraft_file: Path | None = Field(
        None, examples=["aircrafts.json.gz"], description="aircraft by address: of Mictronics or OpenSky"
    )
    runways_file: Path | None = Field(None, examples=["runways.csv"], description="runways: of OurAirports")

    # Ingest
    lateness_limit_s: float = Field(86_400, gt=0, examples=[86400], description="older reports are refused")
    future_tolerance_s: float = Field(30, ge=0, examples=[30], description="reports further ahead are refused")

    spool_bytes: int = Field(
        1 << 30,
        ge=1_000_000,
        examples=[1_073_741_824],
        description="what a feed may hold on disk, below var/spool, while Kafka is away; 1 GiB is 90 minutes at 1000/s",
    )
    recordings: Path | None = Field(
        None,
        examples=["/srv/recordings"],
        description="folder of recordings by the name of their source: gaps are filled from there",
    )
    block_list: Path | None = Field(None, examples=["block-list.csv"], description="aircraft that must not be shown")

    # Sources
    opensky_client_id: str | None = Field(None, examples=["me-api-client"])
    opensky_client_secret: SecretStr | None = Field(None, examples=["..."])

    # Freshness and alerts
    stall_threshold_s: float = Field(15, gt=0, examples=[15], description="silence that counts as a stall")
    alert_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), examples=["mailto://user:secret@mail.example"], description="apprise addresses"
    )
    alertmanager_url: str | None = Field(None, pattern=r"https?://.+", examples=["http://127.0.0.1:9093"])
    runbooks_url: str = Field(
        "docs/runbooks",
        min_length=1,
        examples=["https://wiki.example/flight/runbooks"],
        description="where the pages of docs/runbooks are served: alerts link to them",
    )
    prometheus_port: int = Field(9090, ge=1, le=65535, examples=[9090])
    alertmanager_port: int = Field(9093, ge=1, le=65535, examples=[9093])

    # Serving
    listen_host: str = Field(
        "127.0.0.1",
        min_length=1,
        examples=["0.0.0.0"],  # noqa: S104  # an example
        description="what the APIs and /metrics listen on; the edge faces the network",
    )
    active_port: int = Field(8081, ge=0, le=65535, examples=[8081])
    grpc_port: int | None = Field(
        8083, ge=1, le=65535, examples=[8083], description="flight.v1.LiveService of the active API"
    )
    history_port: int = Field(8082, ge=0, le=65535, examples=[8082])
    edge_host: str = Field(
        "127.0.0.1",
        min_length=1,
        examples=["0.0.0.0"],  # noqa: S104  # an example
        description="what the edge (HAProxy) listens on",
    )
    edge_port: int = Field(8080, ge=1, le=65535, examples=[8080])
    edge_tls_port: int | None = Field(8443, ge=1, le=65535, examples=[8443])
    edge_metrics_port: int = Field(8404, ge=1, le=65535, examples=[8404])
    edge_live_port: int = Field(
        19850, ge=1, le=65535, examples=[19850], description="any live server, where each holds every flight"
    )
    edge_certificate: Path | None = Field(
        None, examples=["/etc/flight/edge.pem"], description="certificate and key in one PEM; unset: self-signed"
    )
    edge_rate: int = Field(
        50, ge=1, examples=[50], description="requests a second of an address without a key, over ten seconds"
    )
    edge_connections: int = Field(
        256, ge=1, examples=[256], description="connections that one address may have at once"
    )
    dagster_port: int = Field(3000, ge=1, le=65535, examples=[3000])
    quality_url: str | None = Field(
        None,
        pattern=r"https?://.+",
        examples=["https://flights.example/quality"],
        description="where people reach the history API's /quality: Data Docs; unset: on this machine",
    )

    # This process
    instance: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        pattern=r"[A-Za-z0-9._-]{1,64}",
        examples=["track-1"],
        description="this process among its like; stable across restarts where a supervisor sets it",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, examples=[9101], description="unset: no /metrics; 0: any free port"
    )
    log_format: str = Field("auto", pattern="auto|text|json", examples=["json"])
    var: Path = Field(Path("var"), examples=["var"], description="data, logs and downloads of the embedded servers")

    @field_validator("tile38_urls", "alert_urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """A comma-separated text is a list."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("tile38_urls")
    @classmethod
    def _is_redis(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("redis://", "rediss://")):
                raise ValueError(f"{url!r} is no redis:// address")
        return value

    @field_validator("postgres_url", "analyst_url", "dagster_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("the address must start with postgresql://")
        return value

    _sources_file: ClassVar[str] = "flight.toml"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the interface's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = os.environ.get(f"{PREFIX}CONFIG", cls._sources_file)
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """The settings of this process; raises SettingsError naming each wrong one with an example."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError("\n".join(_explain(cls, detail) for detail in error.errors())) from None

    def topic(self, name: str) -> str:
        """The full name of one of the platform's topics."""
        return self.kafka_topic_prefix + name

    def group(self, stage: str) -> str:
        """The consumer group of a stage."""
        return f"{self.kafka_topic_prefix}flight.{stage}"

    def environment(self) -> dict[str, str]:
        """The settings that differ from the defaults as environment variables, for a child process."""
        defaults = type(self).model_construct()
        changed = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is None or (value == getattr(defaults, name) and name != "var") or name == "instance":
                continue
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            changed[f"{PREFIX}{name.upper()}"] = ",".join(value) if isinstance(value, tuple) else str(value)
        return changed


def _explain(cls: type[Settings], detail: Any) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else "settings"
    variable = f"{PREFIX}{name.upper()}"
    field = cls.model_fields.get(name)
    if field is None:
        return f"{name}: there is no such setting; `flight doctor` lists them all"
    problem = detail["msg"].removeprefix("Value error, ")
    example = (field.examples or [""])[0]
    got = "its value is hidden" if field.annotation is SecretStr else f"got {detail.get('input')!r}"
    return f"{variable}: {problem} ({got}). Example: {variable}={example}"
