"""What Prometheus and Alertmanager of `flight up` are told: the files of `deploy/`, and where the processes listen."""

import json
import shutil
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from cli.programs import ROOT, Program, alertmanager_url, monitoring_home
from flight_platform.settings import Settings
from flight_platform.targets import drop_stale, folder_of

_OURS: Final = "cli.main"
_HOPS: Final = ("track", "live", "history", "feed")


def configure(settings: Settings, programs: Sequence[Program]) -> None:
    """Writes the configuration of those of the two that are among the programs."""
    for name in {program.name for program in programs if program.group == "monitoring"}:
        home = monitoring_home(settings, name)
        shutil.copytree(ROOT / "deploy" / name, home, dirs_exist_ok=True)
        if name == "prometheus":
            hub = alertmanager_url(settings)
            known = [{"targets": [urlsplit(hub).netloc]}] if hub else []
            (home / "alertmanagers.json").write_text(json.dumps(known))
            targets_of_others = folder_of(settings)  # who is started by hand tells of itself there
            targets_of_others.mkdir(exist_ok=True)
            drop_stale(targets_of_others)
            (home / "targets.json").write_text(json.dumps([*targets(programs), *_edge(settings, programs)], indent=1))


def _edge(settings: Settings, programs: Iterable[Program]) -> list[dict[str, Any]]:
    """HAProxy's own metrics, which have a port of their own."""
    target = {"targets": [f"127.0.0.1:{settings.edge_metrics_port}"], "labels": {"process": "edge"}}
    return [target for program in programs if program.group == "edge"]


def targets(programs: Iterable[Program]) -> Iterable[dict[str, Any]]:
    """Our own processes whose port is known: with FLIGHT_METRICS_PORT=0 only those of the APIs; the rest tell it."""
    for program in programs:
        if _OURS in program.arguments and program.port:
            labels = {"process": program.name}
            hop = program.name.partition("-")[0]
            yield {
                "targets": [f"127.0.0.1:{program.port}"],
                "labels": labels | ({"hop": hop} if hop in _HOPS else {}),
            }
