"""One SSH server for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.lamina.channels_ssh.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()
