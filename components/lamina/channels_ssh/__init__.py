"""Commands, files and a way back for workers, on a host that is reached by SSH."""

from lamina.channels_ssh.channel import SSHChannel
from lamina.channels_ssh.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    HostKeyRefused,
    UnknownHostKey,
)

__all__ = [
    "AuthenticationFailed",
    "ConnectionFailed",
    "HostKeyRefused",
    "SSHChannel",
    "UnknownHostKey",
]
