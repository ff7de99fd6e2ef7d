"""Where everything listens, as people and scripts are told."""

import shutil

from flight_platform.settings import Settings


def addresses(settings: Settings) -> dict[str, str]:
    """Name and address of each server, without secrets."""
    from cli.postgres import where
    from cli.programs import PROMETHEUS, alertmanager_url, has_edge

    monitoring = {}
    if shutil.which(PROMETHEUS):
        monitoring["Prometheus"] = f"http://127.0.0.1:{settings.prometheus_port}"
    if hub := alertmanager_url(settings):
        monitoring["Alertmanager"] = masked(hub)
    grpc = {} if settings.grpc_port is None else {"active API, gRPC": f"127.0.0.1:{settings.grpc_port}"}
    edge = {}
    if has_edge(settings):
        edge["edge"] = f"http://127.0.0.1:{settings.edge_port}"
        if settings.edge_tls_port is not None:
            edge["edge, TLS"] = f"https://localhost:{settings.edge_tls_port}"
    return {
        "map": f"http://127.0.0.1:{settings.edge_port if edge else settings.active_port}/",
        **edge,
        "active API": f"http://127.0.0.1:{settings.active_port}",
        **grpc,
        "history API": f"http://127.0.0.1:{settings.history_port}",
        "Dagster": f"http://127.0.0.1:{settings.dagster_port}",
        "Kafka": settings.kafka_bootstrap,
        "Postgres": where(settings.postgres_url.get_secret_value()),
        "live": ", ".join(map(masked, settings.tile38_urls)),
        **monitoring,
    }


def masked(url: str) -> str:
    """An address without the secrets in it: user's password, and what hides in query and path of a webhook."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    place, question, _query = rest.partition("?")
    # The last @ ends the credentials: a password may hold @ and / although it should not.
    credentials, at, where_to = place.rpartition("@")
    user, colon, _password = credentials.partition(":")
    shown = f"{user}:***@" if colon and user else "***@" if at else ""
    return f"{scheme}://{shown}{where_to}" + ("?***" if question else "")
