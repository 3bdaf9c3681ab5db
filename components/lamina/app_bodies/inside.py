"""Whether this thread runs a task now."""

import threading

__all__ = ["enter_task", "inside_task", "leave_task"]


class _Here(threading.local):
    depth = 0


_here = _Here()


def enter_task() -> None:
    """The code of a task begins on this thread."""
    _here.depth += 1


def leave_task() -> None:
    """It has ended."""
    _here.depth -= 1


def inside_task() -> bool:
    """Whether the caller is the code of a task."""
    return _here.depth > 0
