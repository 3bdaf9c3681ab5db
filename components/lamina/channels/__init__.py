"""Running commands and moving files where the batch system is."""

from lamina.channels.builtin import BUILTIN
from lamina.channels.local import LocalChannel
from lamina.channels.protocol import (
    Channel,
    ChannelError,
    CommandLost,
    CommandTimeout,
    Completed,
    Forward,
    RemoteChannel,
)

__all__ = [
    "BUILTIN",
    "Channel",
    "ChannelError",
    "CommandLost",
    "CommandTimeout",
    "Completed",
    "Forward",
    "LocalChannel",
    "RemoteChannel",
]
