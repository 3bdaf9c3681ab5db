"""What declared outputs looked like, so that a remembered result counts only while they do."""

import os
from collections.abc import Iterable, Sequence

from lamina.memo import OutputMark
from lamina.vocabulary import File, FileNotLocalError

__all__ = ["marks_of", "still_there"]


def marks_of(outputs: Iterable[File]) -> tuple[OutputMark, ...] | None:
    """How the outputs look now; None if one is missing, so that nothing is remembered."""
    marks = []
    for file in outputs:
        mark = _mark(file)
        if mark is None:
            return None
        marks.append(mark)
    return tuple(marks)


def still_there(outputs: Sequence[File], marks: Sequence[OutputMark]) -> bool:
    """Whether each declared output looks as it did when its mark was made."""
    return marks_of(outputs) == tuple(marks)


def _mark(file: File) -> OutputMark | None:
    try:
        status = os.stat(file.filepath)
    except (OSError, FileNotLocalError):
        return None
    return OutputMark(file.url, status.st_size, status.st_mtime_ns)
