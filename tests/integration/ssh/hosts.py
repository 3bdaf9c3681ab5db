"""The real SSH servers of development/testbed."""

import os
import signal
from typing import Any

from lamina.channels_ssh import SSHChannel
from tests.integration.batch import operate, run

PATIENCE = 60.0  # seconds


def sshd(*command: str) -> str:
    """Do something to a server."""
    return operate("sshd.sh", *command)


def once() -> str:
    """The next one-time password."""
    return sshd("otp").strip()


def cut_connections() -> None:
    """Kill the processes of sshd that serve connections; the one that listens lives on."""
    for one in run("pgrep", "-f", "^lamina-ssh-key: root@notty").split():
        os.kill(int(one), signal.SIGKILL)


class Hosts:
    """Channels to the servers, by their names."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.config = facts["TESTBED_SSH_CONFIG"]
        self.folder = facts["TESTBED_SSH_DIR"]
        self.user = facts["TESTBED_SSH_USER"]
        self.password = facts["TESTBED_SSH_PASSWORD"]
        self._channels: list[SSHChannel] = []

    def channel(self, name: str, **options: Any) -> SSHChannel:
        channel = SSHChannel(name, **{"config_file": self.config, **options})
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
