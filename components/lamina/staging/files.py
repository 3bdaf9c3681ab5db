"""``file:``: opened where it is, or copied to where the task runs."""

import os
from pathlib import Path
from typing import Literal

import attrs

from lamina.staging.appearing import appearing, copy_whole, drop
from lamina.staging.checks import measured
from lamina.staging.protocol import Direction, Mode, Place
from lamina.staging.settings import a_place, place_named
from lamina.vocabulary import File, StagingFailed

__all__ = ["FileCopyStaging", "SharedFileStaging"]

_FILE = frozenset({"file"})


@attrs.frozen
class SharedFileStaging:
    """``file:`` on a file system that tasks share with the program: nothing moves."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "file"

    @property
    def schemes(self) -> frozenset[str]:
        """``file`` alone."""
        return _FILE

    @property
    def mode(self) -> Mode:
        """In place."""
        return Mode.IN_PLACE

    @property
    def place(self) -> Place:
        """Where tasks run."""
        return Place.NODES

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file, but for one that is to be verified on its way in: that needs a copy."""
        return direction is Direction.OUT or (file.checksum is None and file.size is None)

    def version(self, file: File) -> str | None:
        """Its size and time."""
        return _version(file)

    def fetch(self, file: File, target: Path) -> None:
        """Copy it; nobody asks for that where nothing moves."""
        _copy(Path(file.path), target, file)

    def store(self, source: Path, file: File) -> None:
        """Copy it; nobody asks for that where nothing moves."""
        _store(source, Path(file.path), file)


@attrs.frozen(kw_only=True)
class FileCopyStaging:
    """``file:`` that is copied or linked to the node of the task, and its outputs back.

    With ``where="client"``, the default, the program's host reads and writes the files, for
    executors that do not see them: the content travels with the task. With ``where="nodes"`` the
    worker copies them from a file system that it sees to its ``working_dir``, and outputs appear
    under their names only when whole. ``link`` makes hard links where that is possible: a task
    that changes its input would change the original.
    """

    where: Literal["client", "nodes"] = attrs.field(default="client", validator=a_place)
    link: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return "file-copy"

    @property
    def schemes(self) -> frozenset[str]:
        """``file`` alone."""
        return _FILE

    @property
    def mode(self) -> Mode:
        """In the task, where it is the nodes that copy."""
        return Mode.IN_TASK

    @property
    def place(self) -> Place:
        """As ``where`` says."""
        return place_named(self.where)

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file and directory."""
        return True

    def version(self, file: File) -> str | None:
        """Its size and time; None for a directory."""
        return _version(file)

    def fetch(self, file: File, target: Path) -> None:
        """Copy or link it.

        Raises:
            StagingFailed: It is not there, or cannot be read.
        """
        source = Path(file.path)
        if self.link and source.is_file():
            drop(target)
            try:
                os.link(source, target)
                return
            except OSError:  # another file system, or one that has no links
                pass
        _copy(source, target, file)

    def store(self, source: Path, file: File) -> None:
        """Copy it to its place, where it appears only when whole.

        Raises:
            StagingFailed: It cannot be written there.
        """
        _store(source, Path(file.path), file)


def _version(file: File) -> str | None:
    try:
        found = os.stat(file.path)
    except OSError as error:
        raise _unreadable(file, error) from error
    if file.is_directory:
        return None
    return f"{os.path.abspath(file.path)} {found.st_size} {found.st_mtime_ns} {found.st_ino}"


def _copy(source: Path, target: Path, file: File) -> None:
    drop(target)
    try:
        copy_whole(source, target)
    except OSError as error:
        raise _unreadable(file, error) from error


def _store(source: Path, final: Path, file: File) -> None:
    try:
        with appearing(final) as part:
            copy_whole(source, part)
            wrote, wanted = measured(part), measured(source)
            if wrote != wanted:
                reason = f"{wrote} bytes of {wanted} were written"
                raise StagingFailed(reason, url=file.url, moved=wrote)
    except OSError as error:
        raise StagingFailed(f"it cannot be written: {error}", url=file.url) from error


def _unreadable(file: File, error: OSError) -> StagingFailed:
    gone = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
    reason = f"it cannot be read: {error}"
    return StagingFailed(reason, url=file.url, status=error.errno, again=not gone)
