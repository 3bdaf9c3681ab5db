import tempfile
from pathlib import Path

from lamina.channels_ssh import SSHChannel
from lamina.conformance import CHANNEL
from tests.components.lamina.channels_ssh.server import Server
from tests.kits import as_tests


def channel() -> SSHChannel:
    return Server(Path(tempfile.mkdtemp())).channel()


TestSSH = as_tests(CHANNEL, channel)
