"""The tasks that move files for other tasks."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from lamina.staging.appearing import drop
from lamina.staging.body import store_all
from lamina.staging.cache import safe_name
from lamina.staging.carrying import Content, read_content, write_content
from lamina.staging.checks import naming
from lamina.staging.desk import Desk, is_pattern
from lamina.staging.protocol import Staging
from lamina.vocabulary import File, HasStarted

__all__ = ["Brought", "bring", "bring_content", "take", "take_content"]


class Brought(NamedTuple):
    """A copy that has been made of an input."""

    key: str
    content: Content | None = None
    """All that is in it, where it has to travel on."""


def bring(file: File, plugin: Staging, desk: Desk) -> Brought:
    """Have a copy of a file in the cache.

    Raises:
        StagingFailed: It cannot be brought, or is not what was asked for.
    """
    key = desk.key(file, plugin)
    with desk.holding(file, key, plugin.fetch):
        return Brought(key)


def bring_content(file: File, plugin: Staging, desk: Desk) -> Brought:
    """Have a copy of a file in the cache of this host, and read it.

    Raises:
        StagingFailed: It cannot be brought, is not what was asked for, or is too large.
    """
    key = desk.key(file, plugin)
    with desk.holding(file, key, plugin.fetch) as path, naming(file.url, HasStarted.NO):
        return Brought(key, read_content(path, file))


def take(file: File, plugin: Staging, kept: str) -> None:
    """Take away an output that a task has left in a directory, and remove that.

    Raises:
        StagingFailed: It cannot be taken away; it is still there.
    """
    with naming(file.url, HasStarted.YES):
        store_all(plugin, _named(Path(kept), file), file)
        drop(Path(kept))


def take_content(file: File, plugin: Staging, content: Content) -> None:
    """Take away an output that has come with a result.

    Raises:
        StagingFailed: It cannot be taken away.
    """
    with naming(file.url, HasStarted.YES), tempfile.TemporaryDirectory() as folder:
        path = _named(Path(folder), file)
        write_content(content, path, beside=is_pattern(file))
        store_all(plugin, path, file)


def _named(folder: Path, file: File) -> Path:
    return folder / (file.filename if is_pattern(file) else safe_name(file))
