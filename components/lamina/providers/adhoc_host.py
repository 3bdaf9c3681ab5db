"""One host of an ``AdHocProvider``, and what is done there over its channel."""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from lamina.channels import Channel, ChannelError, LocalChannel
from lamina.providers.adhoc_scripts import (
    CANCEL,
    LOOK,
    START,
    block_script,
    read_look,
    read_start,
)
from lamina.providers.protocol import BlockRequest

__all__ = ["Host"]


@attrs.define(eq=False)
class Host:
    """Errors of its methods are ``ChannelError``: the host cannot be reached, or makes no sense."""

    number: int
    channel: Channel
    timeout: float
    """Seconds that a command may take."""
    left: list[str] = attrs.field(factory=list, init=False)
    """Directories that are to be removed, with whatever runs in them without our knowing."""

    @property
    def label(self) -> str:
        """What messages call it."""
        if isinstance(self.channel, LocalChannel):
            return f"host {self.number}, this one"
        return f"host {self.number}, {getattr(self.channel, 'hostname', self.channel)}"

    @property
    def python(self) -> str:
        """The Python there."""
        there: Any = self.channel
        return getattr(there, "python", sys.executable)

    def start(self, request: BlockRequest, worker_init: str) -> str:
        """Start a block, and return the directory that is its own there.

        Where that fails half-way, what is there is ended and removed before the next one.
        """
        self.tidy()
        place = self._run("mktemp", "-d", "-t", "lamina-XXXXXXXXXX").strip()
        if not place.startswith("/"):
            raise ChannelError("making a directory", f"mktemp has printed {place!r}")
        self.left.append(place)
        command = request.command
        if request.luggage is not None:
            command = request.luggage.command
            for name, content in request.luggage.files.items():
                self._write(PurePosixPath(place, "luggage", name), content)
        script = block_script(place, self.python, worker_init, command)
        self._write(PurePosixPath(place, "block.sh"), script.encode())
        said = self._run("bash", "-c", START, "start", place)
        if not read_start(said):
            raise ChannelError("starting a block", f"it has printed {said!r}")
        self.left.remove(place)
        return place

    def look(self, places: Sequence[str]) -> Sequence[tuple[str, int | None]]:
        """A word for the block in each of these directories, and its exit status."""
        said = self._run("bash", "-c", LOOK, "look", *places)
        found = read_look(said, len(places))
        if found is None:
            raise ChannelError("looking at blocks", f"it has printed {said!r}")
        return found

    def cancel(self, places: Sequence[str]) -> None:
        """End blocks, and wait for it; what does not end by itself is killed 2 s later."""
        self._run("bash", "-c", CANCEL, "cancel", *places)

    def clear(self, place: str, request: BlockRequest) -> None:
        """Bring home what an ended block has written, and leave nothing there.

        What cannot be brought is lost; what cannot be removed is, before the next block.
        """
        for name, home in (("out", request.stdout), ("err", request.stderr)):
            with suppress(ChannelError):  # its end is told all the same
                self.channel.get(f"{place}/{name}", home)
        self.left.append(place)
        with suppress(ChannelError):
            self.tidy()

    def tidy(self) -> None:
        """End and remove what was left behind."""
        if self.left:
            self.cancel(self.left)
            self._run("rm", "-rf", *self.left)
            self.left.clear()

    def _run(self, *command: str) -> str:
        done = self.channel.run(command, timeout=self.timeout)
        if done.status != 0:
            what = f"{command[0]} on {self.label}"
            raise ChannelError(what, done.stderr.strip() or f"exit status {done.status}")
        return done.stdout

    def _write(self, path: PurePosixPath, content: bytes) -> None:
        self.channel.make_directory(str(path.parent))
        with tempfile.NamedTemporaryFile() as written:  # for the user alone
            written.write(content)
            written.flush()
            self.channel.put(Path(written.name), str(path))
