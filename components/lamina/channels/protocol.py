"""Running a command and moving a file where the batch system is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from lamina.vocabulary import LaminaError

__all__ = [
    "Channel",
    "ChannelError",
    "CommandLost",
    "CommandTimeout",
    "Completed",
    "Forward",
    "RemoteChannel",
]


class ChannelError(LaminaError):
    """The channel could not do it: no connection, no such file, no permission."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what, self.why = what, why

    def __str__(self) -> str:
        return f"{self.what} failed: {self.why}"


class CommandTimeout(ChannelError):
    """A command was still running when its time was over; its process group was killed."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what, f"it was still running after {seconds:g} s and was killed")
        self.args = (what, seconds)
        self.seconds = seconds


class CommandLost(ChannelError):
    """The connection broke while a command ran.

    Nobody knows whether it has done its work, is doing it still, or never will.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what, "the connection broke while it ran; it may have done its work")
        self.args = (what,)


class Completed(NamedTuple):
    """A command that has ended. A negative status is the signal that ended it."""

    status: int
    stdout: str
    stderr: str


class Channel(Protocol):
    """**Protocol:** runs commands and moves files on the machine where the batch system is.

    Methods may be called from any thread, also at once.
    """

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        """Run a command to its end, in a process group of its own; no shell is between.

        ``env`` is added to the environment. ``timeout`` is in seconds.

        Raises:
            CommandTimeout: It took longer; its whole process group was killed.
            ChannelError: It could not be run at all.
        """
        ...

    def put(self, local: Path, remote: str) -> None:
        """Copy a file there; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be written.
        """
        ...

    def get(self, remote: str, local: Path) -> None:
        """Copy a file here; it appears under its name only when whole.

        Raises:
            ChannelError: It could not be read.
        """
        ...

    def make_directory(self, remote: str) -> None:
        """Make a directory with its parents, private to the user; it may exist already.

        Raises:
            ChannelError: It could not be made.
        """
        ...

    def close(self) -> None:
        """Give back what it holds. A second call does nothing."""
        ...


class Forward(NamedTuple):
    """Where something on the other side reaches a port of this host."""

    hosts: tuple[str, ...]
    """Names and addresses that may lead there, seen from the other side; the likeliest first."""
    port: int


class RemoteChannel(Channel, Protocol):
    """**Protocol:** a channel to another host, from which workers find the way back through it."""

    @property
    def python(self) -> str:
        """The command there that is the Python of the workers."""
        ...

    def place(self, name: str) -> str:
        """Make a directory there for what belongs to one run, and say its whole path.

        Raises:
            ChannelError: It could not be made.
        """
        ...

    def forward(self, port: int) -> Forward:
        """Lead connections there to a port of this host, until the channel is closed.

        When the connection broke, another is made, and it leads here from the same place.

        Raises:
            ChannelError: It cannot.
        """
        ...
