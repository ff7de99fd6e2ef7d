"""What every always-on process has around it."""

from pathlib import Path

from flight_platform.embedded.process import free_port
from flight_platform.names import Stage
from flight_platform.settings import Settings
from flight_platform.watch.watchman import Deputy
from streaming.process import running


def test_each_process_looks_in_dagsters_place(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    settings = Settings.read(postgres_url=f"postgresql://x@{nowhere}/x", kafka_bootstrap=nowhere, var=tmp_path)
    with running(settings, Stage.TRACK) as process:
        for hook in (process.beat.then, process.beat.instead):
            assert isinstance(getattr(hook, "__self__", None), Deputy)
