"""Writing what appears under its name only when it is whole."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["appearing", "copy_whole", "drop", "flush"]


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
        flush(part)
        if part.is_dir():
            _replace_directory(part, final)
        else:
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


def flush(path: Path) -> None:
    """Have a file, or all files below a directory, on the disk: a name may outlive a content.

    Raises:
        OSError: It cannot be written there.
    """
    for folder, _, names in os.walk(path):
        for name in names:
            one = os.path.join(folder, name)
            if not os.path.islink(one):
                _flush_one(one)
    if not path.is_dir():
        _flush_one(path)


def _flush_one(path: str | os.PathLike[str]) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
