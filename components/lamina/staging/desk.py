"""Where staging works on one host: the cache, and the directories of single tasks."""

import glob
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from lamina.staging.appearing import drop
from lamina.staging.cache import Cache, cache_key, private_folder, safe_name
from lamina.staging.checks import naming, verify
from lamina.staging.protocol import Staging
from lamina.vocabulary import File, HasStarted

__all__ = ["Desk", "is_pattern", "matching"]


class Desk(NamedTuple):
    """Where to put files. It travels to workers, and makes no directory before it is there."""

    run: str
    """The name of this run, for what is of no use to others."""
    limit: int
    """Bytes that copies of inputs may take."""
    folder: str | None = None
    """None for one of the user's own below the directory for temporary files."""

    @property
    def place(self) -> Path:
        """The directory, which is made if need be.

        Raises:
            StagingFailed: It belongs to another user.
        """
        if self.folder is not None:
            folder = Path(self.folder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder
        return private_folder(Path(tempfile.gettempdir()) / f"lamina-staging-{os.getuid()}")

    def key(self, file: File, plugin: Staging) -> str:
        """Under which key a copy of the file is, or will be.

        Raises:
            StagingFailed: The file cannot be asked for.
        """
        with naming(file.url, HasStarted.NO):
            version = None if file.checksum is not None else plugin.version(file)
        return cache_key(file, version, self.run)

    @contextmanager
    def holding(
        self, file: File, key: str, fetch: Callable[[File, Path], None] | None
    ) -> Iterator[Path]:
        """Give the path of a verified copy of the file, which ``fetch`` brings if need be.

        Raises:
            StagingFailed: It cannot be brought, or is not what was asked for.
        """

        def bring(target: Path) -> None:
            assert fetch is not None
            fetch(file, target)
            try:
                verify(target, file)
            except BaseException:
                drop(target)  # going on from there would not make it right
                raise

        with ExitStack() as stack:
            with naming(file.url, HasStarted.NO):
                cache = Cache(self.place / "cache", self.limit)
                fill = None if fetch is None else bring
                path = stack.enter_context(cache.holding(key, safe_name(file), fill))
            yield path

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A new directory for one task alone, which is removed in the end."""
        folder = private_folder(self.place / "tasks") / f"{self.run}-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            drop(folder)


def is_pattern(file: File) -> bool:
    """Whether an output stands for all files that match its name."""
    return glob.has_magic(file.filename)


def matching(path: Path) -> list[Path]:
    """The files that match the last part of a path, in the order of their names."""
    folder = Path(glob.escape(str(path.parent)))
    found = map(Path, glob.glob(str(folder / path.name)))
    return sorted(one for one in found if one.is_file())
