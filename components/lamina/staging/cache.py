"""Copies of files that tasks share: made once, by content, and never too many.

::

    objects/<key>/<name>   the copies; a folder appears under its key only when it is whole
    parts/<key>/<name>     one that is being made
    making/<key>           who makes it
    locks/<key>            who uses it; holds the size of the copy in bytes, and its time is the
                           last use

A lock is ``flock``: shared while a task uses the copy, exclusive while one is made, and both are
exclusive while one is removed. So locks die with their holders, whatever kills them, and a copy
in use is never removed. A lock file may be removed by its exclusive holder; whoever gets a lock
looks whether it still is the one under the name.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote

from lamina.staging.appearing import flush
from lamina.staging.checks import measured
from lamina.vocabulary import File, StagingFailed

__all__ = ["Cache", "cache_key", "private_folder", "safe_name"]


def cache_key(file: File, version: str | None, run: str) -> str:
    """The name of a file's content: equal for equal content, however it is reached.

    By its checksum if one was asked for; else by its URL and version, or, where nothing tells
    versions apart, for this run alone.
    """
    if file.checksum is not None:
        told = ["checksum", file.checksum, safe_name(file)]
    elif version is not None:
        told = ["version", file.url, version]
    else:
        told = ["run", file.url, run]
    if file.size is not None:
        told.append(str(file.size))  # whoever asked for another size has not verified this one
    return hashlib.sha256("\0".join(told).encode("utf-8", "surrogateescape")).hexdigest()


def safe_name(file: File) -> str:
    """The file's own name, as far as a directory can have it; programs go by its ending."""
    name = unquote(file.filename).replace("/", "_").replace("\0", "_")
    return name if name not in ("", ".", "..") else "data"


def private_folder(path: Path) -> Path:
    """Make a directory for this user alone, unless it is there.

    Raises:
        StagingFailed: It is there, and another user's, who could put anything into it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        reason = f"{path} is not a directory of this user's own; set the executor's working_dir"
        raise StagingFailed(reason, again=False)
    return path


class Cache:
    """The copies below one folder. Any number of processes may use it at once.

    ``limit`` is in bytes; beyond it copies that nobody uses are removed, the longest unused
    first.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = private_folder(folder), limit
        for name in ("objects", "parts", "making", "locks"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def holding(self, key: str, name: str, fill: Callable[[Path], None] | None) -> Iterator[Path]:
        """Give the path of a copy, which stays there until the context ends.

        ``fill`` is called to make it, if it is not there, with the path that it is to write.

        Raises:
            FileNotFoundError: It is not there, and ``fill`` is None.
            Exception: Those of ``fill``.
        """
        path = self._folder / "objects" / key / name
        while True:
            lock = _locked(self._folder / "locks" / key, fcntl.LOCK_SH)
            try:
                if path.parent.exists():
                    os.utime(lock)
                    yield path
                    return
            finally:
                os.close(lock)
            if fill is None:
                raise FileNotFoundError(f"the copy of {name} is not in {self._folder} any more")
            self._make(key, name, fill)

    def _make(self, key: str, name: str, fill: Callable[[Path], None]) -> None:
        part, whole = self._folder / "parts" / key, self._folder / "objects" / key
        # Another lock than that of the users: whoever waits to make a copy that somebody else
        # has made meanwhile must not wait for those who use it.
        lock = _locked(self._folder / "making" / key, fcntl.LOCK_EX)
        try:
            if whole.exists():
                return
            part.mkdir(exist_ok=True)
            fill(part / name)
            flush(part)  # a later run would take what is left of it after a crash for all of it
            (self._folder / "locks" / key).write_text(str(measured(part)))
            _seal(part / name)
            part.rename(whole)
        finally:
            os.close(lock)
        self._shrink(spare=key)

    def _shrink(self, spare: str) -> None:
        """Remove copies that nobody uses until the rest fits."""
        known = []
        for path in (self._folder / "locks").iterdir():
            try:
                known.append((path.stat().st_mtime_ns, int(path.read_text() or 0), path.name))
            except (OSError, ValueError):  # removed since, or being made
                continue
        total = sum(size for _, size, _ in known)
        for _, size, key in sorted(known):
            if total <= self._limit:
                return
            if key != spare and self._remove(key):
                total -= size

    def _remove(self, key: str) -> bool:
        """Remove a copy, unless somebody uses it or makes it."""
        with ExitStack() as stack:
            for folder in ("locks", "making"):
                path = self._folder / folder / key
                try:
                    lock = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                stack.callback(os.close, lock)
            for folder in ("objects", "parts"):
                shutil.rmtree(self._folder / folder / key, ignore_errors=True)
            for folder in ("locks", "making"):
                (self._folder / folder / key).unlink(missing_ok=True)
        return True


def _locked(path: Path, kind: int) -> int:
    """Wait for a lock; closing the descriptor gives it back."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, kind)
            if _same(lock, path):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _same(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _seal(path: Path) -> None:
    """Take away the right to write: other tasks will read the same copy."""
    found = path.stat()
    # A hard link shares its mode with the user's own file.
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
        path.chmod(found.st_mode & 0o555)
