"""What a doctor has found, one thing at a time."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

__all__ = ["Finding", "asked"]


class Finding(NamedTuple):
    """One thing that was tried."""

    what: str
    well: bool
    says: str


def asked(
    what: str,
    future: "Future[Any]",
    patience: float,
    says: Callable[[Any], str],
    well: Callable[[Any], bool] = lambda value: True,
) -> Finding:
    """What a task has answered within so many seconds, in words."""
    try:
        value = future.result(patience)
    except TimeoutError:
        return Finding(what, False, f"no answer within {patience:g} s")
    except Exception as error:  # whatever the node makes of it is the finding
        return Finding(what, False, f"{type(error).__name__}: {error}")
    return Finding(what, well(value), says(value))
