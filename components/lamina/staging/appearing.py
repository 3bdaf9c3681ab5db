"""Writing what appears under its name only when it is whole."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["appearing", "copy_whole", "drop"]


@contextmanager
def appearing(final: Path) -> Iterator[Path]:
    """Give a path beside ``final`` to write to, and rename what is there once that went well.

    Whatever is written is on the disk before it is renamed. The folder of ``final`` is made.

    Raises:
        OSError: It cannot be written there.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name}.{secrets.token_hex(6)}.part")
    try:
        yield part
        if part.is_dir():
            _replace_directory(part, final)
        else:
            _flush(part)
            part.replace(final)
    finally:
        drop(part)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, or a directory with all below it."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def drop(path: Path) -> None:
    """Remove a file or a directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _replace_directory(part: Path, final: Path) -> None:
    # A directory that is not empty cannot be replaced in one step: it is put aside first.
    aside = final.with_name(f".{final.name}.{secrets.token_hex(6)}.old")
    if final.exists():
        final.rename(aside)
    part.rename(final)
    drop(aside)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
