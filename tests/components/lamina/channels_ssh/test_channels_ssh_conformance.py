import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.channels_ssh import SSHChannel
from lamina.conformance import CHANNEL
from tests.components.lamina.channels_ssh.server import Server
from tests.kits import as_tests

_open: list[tuple[Server, Path]] = []


@pytest.fixture(autouse=True)
def no_server_left() -> Iterator[None]:
    yield
    while _open:
        server, folder = _open.pop()
        server.close()
        shutil.rmtree(folder)


def channel() -> SSHChannel:
    folder = Path(tempfile.mkdtemp())
    server = Server(folder)
    _open.append((server, folder))
    return server.channel()


TestSSH = as_tests(CHANNEL, channel)
