"""Notes on exceptions of the user's own, whose classes may refuse what any exception allows."""

import contextlib

__all__ = ["add_note", "set_cause"]


def add_note(error: BaseException, note: str) -> None:
    """Add a note, even where the class is frozen; one that has no room for it goes without."""
    try:
        error.add_note(note)
    except Exception:  # a frozen dataclass, or an add_note of its own
        with contextlib.suppress(Exception):
            notes = [*getattr(error, "__notes__", ()), note]
            object.__setattr__(error, "__notes__", notes)


def set_cause(error: BaseException, cause: BaseException | None) -> None:
    """Set its cause, even where the class is frozen."""
    object.__setattr__(error, "__cause__", cause)
