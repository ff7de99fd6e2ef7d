"""A real Kafka broker on this machine: KRaft, one node, loopback only.

    folder/
      server.properties    written at each start from deploy/embedded/kafka.properties and our port
      data/                formatted once; what it holds survives restarts and crashes
      controller-port      where the broker finds its own controller
      server.log

What does not belong here: topics and clients (`flight_platform/kafka.py`).
"""

import base64
import logging
import uuid
from pathlib import Path
from string import Template
from typing import ClassVar

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from flight_platform.embedded import maven
from flight_platform.embedded.process import (
    HOST,
    EmbeddedServer,
    Launch,
    free_port,
    is_listening,
    progress,
    require_tool,
    run_from_command_line,
    run_tool,
)

# The quick compiler alone. The other takes 12 us of processor time a report in a broker's first minute and 3 to 5 in
# its fifth, more than its code then saves (2 us): demonstrations and tests are over before that pays.
QUICKLY_COMPILED = "-XX:TieredStopAtLevel=1"
BROKER = ("-Xmx512m", QUICKLY_COMPILED)
SHORT_LIVED = ("-Xmx128m", QUICKLY_COMPILED, "-XX:+UseSerialGC")
METADATA_TIMEOUT_S = 2.0
SILENT = logging.Logger("kafka-readiness", level=logging.CRITICAL)  # a broker that is not up yet is no news


class EmbeddedKafka(EmbeddedServer):
    """Apache Kafka below a folder. Restarted after a stop or a crash it has what it had."""

    title: ClassVar[str] = "Kafka"
    usual_port: ClassVar[int] = 19092

    def __init__(self, folder: Path, port: int, cache: Path = maven.CACHE) -> None:
        super().__init__(folder, port)
        self._cache = cache

    @property
    def bootstrap(self) -> str:
        """What clients call `bootstrap.servers`."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, format the data folder the first time."""
        require_tool("java", "openjdk-17-jre-headless")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_configuration()
        if not (self._data / "meta.properties").exists():
            with progress("formatting Kafka's data folder"):
                self._format()

    def launch(self) -> Launch:
        """The broker."""
        return self._java(*BROKER, "kafka.Kafka", str(self._configuration))

    def answers(self) -> bool:
        """Whether it tells us of itself."""
        try:
            admin = AdminClient({"bootstrap.servers": self.bootstrap}, logger=SILENT)
            return bool(admin.list_topics(timeout=METADATA_TIMEOUT_S).brokers)
        except KafkaException:
            return False

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _configuration(self) -> Path:
        return self.folder / "server.properties"

    def _write_configuration(self) -> None:
        template = Template((maven.CONFIGURATION / "kafka.properties").read_text())
        text = template.substitute(host=HOST, port=self.port, controller_port=self._controller_port(), data=self._data)
        self._configuration.write_text(text)

    def _controller_port(self) -> int:
        """The port of the last time, unless somebody else has taken it since."""
        path = self.folder / "controller-port"
        port = int(path.read_text()) if path.exists() else 0
        if not port or is_listening(port):
            port = free_port()
            path.write_text(str(port))
        return port

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ("kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}")
        run_tool(
            self._java(*SHORT_LIVED, *tool, f"--config={self._configuration}"),
            remedy=f"delete {self._data} if it holds nothing that you need, then try again",
        )

    def _java(self, *words: str) -> Launch:
        return Launch(
            words=[
                require_tool("java", "openjdk-17-jre-headless"),
                f"-Dlog4j2.configurationFile={maven.CONFIGURATION / 'log4j2.properties'}",
                "-cp",
                f"{maven.libraries(self._cache)}/*",
                *words,
            ],
            folder=self.folder,
        )


if __name__ == "__main__":
    run_from_command_line(EmbeddedKafka, "Apache Kafka on this machine's loopback.")
