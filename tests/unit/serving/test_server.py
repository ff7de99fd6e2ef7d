"""The port of a reader's process. Its signals are in the integration test: they need a process."""

import socket

import pytest
from fastapi import FastAPI

from flight_platform.errors import SettingsError
from flight_platform.settings import Settings
from serving.server import serve


def test_a_taken_port_is_one_sentence_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as raised:
            serve(FastAPI(), Settings.read(), name="active", port=port)
    assert f"port {port} " in str(raised.value)
    assert f"FLIGHT_ACTIVE_PORT={port + 1}" in str(raised.value)
