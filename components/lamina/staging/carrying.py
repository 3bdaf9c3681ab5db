"""Files as values, for where a call or a result has to take them along."""

import os
from pathlib import Path
from typing import NamedTuple

from lamina.staging.checks import measured
from lamina.staging.desk import is_pattern, matching
from lamina.vocabulary import File, StagingFailed

__all__ = ["MOST", "Content", "read_content", "write_content"]

MOST = 256 * 2**20  # bytes; they pass through the memory of every process on the way


class Content(NamedTuple):
    """What is in a file, in all files below a directory, or in those that match a pattern."""

    single: bool
    parts: tuple[tuple[str, bytes], ...]
    """Each with its path: below the directory, or beside the pattern; empty for a single file."""


def read_content(path: Path, file: File, most: int = MOST) -> Content:
    """Read what is at a path.

    Raises:
        StagingFailed: It is too much to be carried.
    """
    found = matching(path) if is_pattern(file) else [path]
    size = sum(measured(one) for one in found)
    if size > most:
        reason = (
            f"it has {size} bytes, and what travels with a task may have {most}; give the executor "
            "a working_dir on a shared file system, or a plug-in that reaches the file from there"
        )
        raise StagingFailed(reason, url=file.url, again=False)
    if is_pattern(file):
        return Content(False, tuple((one.name, one.read_bytes()) for one in found))
    if not path.is_dir():
        return Content(True, (("", path.read_bytes()),))
    inside = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return Content(False, tuple((str(one.relative_to(path)), one.read_bytes()) for one in inside))


def write_content(content: Content, target: Path, *, beside: bool = False) -> None:
    """Write it to a path; what a pattern matched comes ``beside`` it."""
    if content.single:
        target.write_bytes(content.parts[0][1])
        return
    folder = target.parent if beside else target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.parts:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
