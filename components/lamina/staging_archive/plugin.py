"""``zip:`` and ``tar:``: members of archives on a file system that tasks see."""

import fcntl
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import attrs

from lamina.staging import Direction, Mode, Place, a_mode, appearing, drop, mode_named
from lamina.vocabulary import File, StagingFailed

__all__ = ["ArchiveStaging", "split_member"]

_SCHEMES = frozenset({"zip", "tar"})
_ENDINGS = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")


def split_member(file: File) -> tuple[Path, str]:
    """The archive's path and the member's name: that of the archive is the first with its ending.

    Raises:
        StagingFailed: The URL names no archive, a member outside it, or a host.
    """
    parts = PurePosixPath(file.path).parts
    where = [number for number, part in enumerate(parts) if part.lower().endswith(_ENDINGS)]
    if file.netloc or not where:
        reason = f"write it as {file.scheme}:/path/of/archive.{file.scheme}/member"
        raise StagingFailed(reason, url=file.url, again=False)
    inside = parts[where[0] + 1 :]
    if ".." in inside:
        raise StagingFailed("its member leads out of the archive", url=file.url, again=False)
    return Path(*parts[: where[0] + 1]), "/".join(inside)


# Of a file that is damaged, encrypted or packed in a way that is not known.
_FAULTS = (
    OSError,
    EOFError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


@attrs.frozen(kw_only=True)
class ArchiveStaging:
    """``zip:/a/b.zip/member`` and ``tar:/a/b.tar.gz/member``; with a ``/`` at the end, all below.

    Archives are read where tasks run. Members that would be written outside of their directory,
    links and devices are refused. Outputs go into zip archives, which are made if need be;
    tasks that write to one archive take turns, and a reader sees it before or after.

    Args:
        mode: ``"in-task"``, or ``"separate"``, by a task of its own.
    """

    how: str = attrs.field(default="in-task", alias="mode", validator=a_mode)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "archive"

    @property
    def schemes(self) -> frozenset[str]:
        """``zip`` and ``tar``."""
        return _SCHEMES

    @property
    def mode(self) -> Mode:
        """As ``mode`` says."""
        return mode_named(self.how)

    @property
    def place(self) -> Place:
        """Where tasks run."""
        return Place.NODES

    def serves(self, file: File, direction: Direction) -> bool:
        """Members and directories of both; outputs into zip archives alone."""
        return direction is Direction.IN or (file.scheme == "zip" and not file.is_directory)

    def version(self, file: File) -> str | None:
        """The size and the time of the archive.

        Raises:
            StagingFailed: There is no such archive.
        """
        archive, _ = split_member(file)
        with _told(file):
            found = archive.stat()
        return f"{archive.absolute()} {found.st_size} {found.st_mtime_ns} {found.st_ino}"

    def fetch(self, file: File, target: Path) -> None:
        """Unpack it.

        Raises:
            StagingFailed: There is no such member, it is damaged, or it is not safe to unpack.
        """
        archive, member = split_member(file)
        drop(target)
        with _told(file):
            if file.scheme == "zip":
                with zipfile.ZipFile(archive) as opened:
                    _unpack_zip(opened, file, member, target)
            else:
                with tarfile.open(archive) as opened_tar:
                    _unpack_tar(opened_tar, file, member, target)

    def store(self, source: Path, file: File) -> None:
        """Put it into the archive, in the place of what has its name.

        Raises:
            StagingFailed: It cannot be written.
        """
        archive, member = split_member(file)
        with _told(file), _turn(archive), appearing(archive) as part:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as new:
                if archive.exists():
                    with zipfile.ZipFile(archive) as old:
                        for info in old.infolist():
                            if info.filename != member:
                                with old.open(info) as content, new.open(info, "w") as copy:
                                    shutil.copyfileobj(content, copy)
                new.write(source, member)
            with zipfile.ZipFile(part) as made, made.open(member) as content:
                while content.read(2**20):  # its checksum is compared at the end
                    pass


@contextmanager
def _told(file: File) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        reason = f"{type(error).__name__}: {error}"
        again = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        raise StagingFailed(reason, url=file.url, again=again) from error


@contextmanager
def _turn(archive: Path) -> Iterator[None]:
    archive.parent.mkdir(parents=True, exist_ok=True)
    path = archive.with_name(f".{archive.name}.lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _unpack_zip(archive: zipfile.ZipFile, file: File, member: str, target: Path) -> None:
    if not file.is_directory:
        with archive.open(member) as content:
            _write(content, target)
        return
    found = False
    for info in archive.infolist():
        path = _below(info.filename, member, file, target)
        if path is None:
            continue
        found = True
        if stat.S_ISLNK(info.external_attr >> 16):
            raise _unsafe(file, info.filename)
        if not info.is_dir():
            with archive.open(info) as content:
                _write(content, path)
    _made(found, file, target)


def _unpack_tar(archive: tarfile.TarFile, file: File, member: str, target: Path) -> None:
    if not file.is_directory:
        last = None  # what was added later counts
        for info in archive:
            if os.path.normpath(info.name) == member:
                last = info
        _made(last is not None, file, None)
        if last is not None:
            _write_tar(archive, last, file, target)
        return
    found = False
    for info in archive:
        path = _below(info.name, member, file, target)
        if path is not None:
            found = True
            if not info.isdir():
                _write_tar(archive, info, file, path)
    _made(found, file, target)


def _write_tar(archive: tarfile.TarFile, info: tarfile.TarInfo, file: File, path: Path) -> None:
    content = archive.extractfile(info) if info.isreg() else None
    if content is None:
        raise _unsafe(file, info.name)
    with content:
        _write(content, path)


def _below(name: str, member: str, file: File, target: Path) -> Path | None:
    """Where a member goes of a directory that is unpacked; None if it is not below that.

    Raises:
        StagingFailed: It would go elsewhere.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts:
        raise _unsafe(file, name)
    try:
        return target / pure.relative_to(member)
    except ValueError:
        return None


def _made(found: bool, file: File, target: Path | None) -> None:
    if not found:
        raise StagingFailed("the archive has no such member", url=file.url, again=False)
    if target is not None:
        target.mkdir(exist_ok=True)


def _unsafe(file: File, name: str) -> StagingFailed:
    reason = f"its member {name!r:.200} is no plain file in its place, and is not unpacked"
    return StagingFailed(reason, url=file.url, again=False)


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        shutil.copyfileobj(content, out, 2**20)
