"""Bringing a file to a task, and taking one away."""

import enum
from pathlib import Path
from typing import Protocol

from lamina.vocabulary import ConfigError, File

__all__ = ["Direction", "Mode", "NoStaging", "Place", "Staging"]


class Direction(enum.Enum):
    """Which way a file goes."""

    IN = "in"
    OUT = "out"


class Mode(enum.Enum):
    """How the transfers of a plug-in are carried out, where there is a choice."""

    IN_PLACE = "in place"
    """Nothing moves: tasks open the file where it is, on a file system that they share."""
    IN_TASK = "in task"
    """By the worker, before it calls the task's function and after."""
    SEPARATE = "separate task"
    """By a task of its own, with its own state, retries and walltime. That needs a file system
    which the executor's nodes share; where there is none, it is done in the task."""


class Place(enum.Enum):
    """Where the transfers of a plug-in can run."""

    NODES = "nodes"
    """Where tasks run."""
    CLIENT = "client"
    """Where the program runs: only that reaches the other side."""


class NoStaging(ConfigError):
    """No plug-in brings this file to, or takes it from, an executor. Again will not help.

    ``why`` says what each plug-in lacks.
    """

    def __init__(self, url: str, direction: str, where: str, why: str) -> None:
        super().__init__(url, direction, where, why)
        self.url, self.direction, self.where, self.why = url, direction, where, why

    def __str__(self) -> str:
        verb = "bring" if self.direction == Direction.IN.value else "take"
        return (
            f"nothing can {verb} {self.url} {'to' if verb == 'bring' else 'from'} {self.where}: "
            f"{self.why}. Give the executor, or the Config, a storage_access= with a plug-in that "
            "does"
        )


class Staging(Protocol):
    """**Protocol:** moves files of some schemes. A value: it pickles, and is used by many at once.

    Files are moved where ``place`` says. The calls block, and try again by themselves as often
    as they think right; nothing is called on a thread that others wait for.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes of the URLs that it may serve, in small letters."""
        ...

    @property
    def mode(self) -> Mode:
        """How its transfers are carried out."""
        ...

    @property
    def place(self) -> Place:
        """Where they can run."""
        ...

    def serves(self, file: File, direction: Direction) -> bool:
        """Whether it moves this file this way; answered without looking for the file."""
        ...

    def version(self, file: File) -> str | None:
        """What tells this content of the file from any other: an ETag, a size with a time.

        None where nothing does; then a copy serves one run only.

        Raises:
            StagingFailed: The file is not there, or cannot be asked for.
        """
        ...

    def fetch(self, file: File, target: Path) -> None:
        """Bring the file, or the whole directory, to ``target``, all of it, or raise.

        The folder of ``target`` is there. ``target`` may hold the beginning of the same version,
        which an attempt that broke off has left: go on from there, or begin anew.

        Raises:
            StagingFailed: It could not; the error says whether again may help.
        """
        ...

    def store(self, source: Path, file: File) -> None:
        """Take ``source``, a file or a directory, to where the URL says.

        What is there appears under its name only when whole, and has been verified when this
        returns. What was there before is replaced.

        Raises:
            StagingFailed: It could not; the error says whether again may help.
        """
        ...
