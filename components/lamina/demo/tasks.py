"""What the tasks of the demo do. All of them run where the executor runs them.

They are plain functions, so that they can be tested as such; ``lamina.demo.survey`` makes apps
of them.
"""

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from lamina.demo.graph import ImportGraph, Summary, join_summaries
from lamina.demo.modules import ModuleFacts, read_module
from lamina.vocabulary import File

__all__ = [
    "checksum_files",
    "compare_counts",
    "count_files",
    "count_identical",
    "read_and_wait_for_the_end",
    "reduce_summaries",
    "sort_checksums",
]

_PATIENCE = 30.0  # seconds that a task waits to be killed, before it goes on without


def checksum_files(inputs: Sequence[File], outputs: Sequence[File], stamp: str) -> str:
    """The command for ``sha256sum`` over some files. ``stamp`` tells versions of them apart."""
    return f"sha256sum -- {_words(inputs)} > {_words(outputs)}"


def count_files(inputs: Sequence[File], outputs: Sequence[File], stamp: str) -> str:
    """The command for ``wc`` over some files: line feeds and bytes of each."""
    return f"wc -lc -- {_words(inputs)} > {_words(outputs)}"


def sort_checksums(inputs: Sequence[File], outputs: Sequence[File], stamp: str) -> str:
    """The command that makes one sorted list of many checksums."""
    return f"LC_ALL=C sort -- {_words(inputs)} > {_words(outputs)}"


def _words(files: Sequence[File]) -> str:
    return shlex.join(file.filepath for file in files)


def count_identical(checksums: File) -> int:
    """How many files have the same content as one before them in the sorted list."""
    lines = Path(checksums.filepath).read_text(encoding="utf-8", errors="surrogateescape")
    sums = [line.lstrip("\\")[:64] for line in lines.splitlines() if line]
    return len(sums) - len(set(sums))


def compare_counts(graph: ImportGraph, inputs: Sequence[File]) -> tuple[str, ...]:
    """The paths of modules of which ``wc`` counted something else than the parser."""
    said: dict[str, tuple[int, int]] = {}
    for file in inputs:
        text = Path(file.filepath).read_text(encoding="utf-8", errors="surrogateescape")
        for line in text.splitlines():
            lines, size, path = line.split(maxsplit=2)
            said[path] = (int(size), int(lines))
    counted = (each for package in graph.packages for each in package.counted)
    return tuple(path for path, size, lines in counted if said.get(path) != (size, lines))


def reduce_summaries(inputs: Sequence[Summary]) -> ImportGraph:
    """The import graph of all packages."""
    return join_summaries(inputs)


def read_and_wait_for_the_end(
    file: File, module: str, package: str, stamp: tuple[int, int], marker: str
) -> ModuleFacts:
    """Read a module and, in the first attempt only, say who it is and wait to be killed.

    ``marker`` is a path where the process leaves its id. When it is there already, another
    attempt came first, and this one just does its work.
    """
    facts = read_module(file, module, package, stamp)
    place = Path(marker)
    if not place.exists():
        draft = place.with_suffix(".draft")
        draft.write_text(str(os.getpid()), encoding="ascii")
        draft.rename(place)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and place.exists():
            time.sleep(0.05)
    return facts
