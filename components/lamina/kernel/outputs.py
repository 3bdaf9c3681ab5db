"""What declared outputs looked like, so that a remembered result counts only while they do."""

import os
from collections.abc import Iterable, Sequence

from lamina.memo import OutputMark
from lamina.vocabulary import File, FileNotLocalError

__all__ = ["marks_of", "out_of_sight", "what_changed"]


def marks_of(outputs: Iterable[File]) -> tuple[OutputMark, ...] | None:
    """How the outputs look now; None if one is missing, so that nothing is remembered."""
    marks = []
    for file in outputs:
        mark = _mark(file)
        if mark is None:
            return None
        marks.append(mark)
    return tuple(marks)


def out_of_sight(outputs: Iterable[File]) -> str:
    """Why no call with these outputs is remembered; empty where one can be."""
    for file in outputs:
        if file.scheme != "file" and file.local_path is None:
            return (
                f"its output {file.url} is not on this host's file systems, so nobody could tell "
                "whether it is still there; such calls are not remembered"
            )
    return ""


def what_changed(outputs: Sequence[File], marks: Sequence[OutputMark]) -> str:
    """What is no longer as it was when the marks were made; empty if nothing is."""
    if len(outputs) != len(marks):
        return f"it has {len(outputs)} outputs, where it had {len(marks)}"
    for file, mark in zip(outputs, marks, strict=True):
        now = _mark(file)
        if now is None:
            return f"its output {file.url} is missing"
        if now != mark:
            was, is_now = _in_words(mark), _in_words(now)
            return f"its output {file.url} is not as it was: {was} then, {is_now} now"
    return ""


def _in_words(mark: OutputMark) -> str:
    return f"{mark.size} bytes changed at {mark.modified / 1e9:.3f}"


def _mark(file: File) -> OutputMark | None:
    try:
        status = os.stat(file.filepath)
    except (OSError, FileNotLocalError):
        return None
    return OutputMark(file.url, status.st_size, status.st_mtime_ns)
