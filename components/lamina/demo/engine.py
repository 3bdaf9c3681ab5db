"""Which executor the demo runs on: worker processes where they are to be had, else threads."""

import importlib
import os
from importlib.util import find_spec
from typing import Any, NamedTuple

from lamina.executors import ThreadPoolExecutor
from lamina.vocabulary import ConfigError

__all__ = ["Engine", "engine_named"]

_HTEX = f"{__package__.rpartition('.')[0]}.executors_htex"


class Engine(NamedTuple):
    """An executor that has not been started, and what to say of it."""

    name: str
    executor: Any
    workers: int
    has_processes: bool
    """Whether a worker can be killed without killing the program."""


def engine_named(name: str | None, workers: int | None) -> Engine:
    """Make the executor of this name; None for the best that is installed.

    Raises:
        ConfigError: There is none of this name here, or fewer than one worker was asked for.
    """
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    if count < 1:
        msg = f"{count} workers cannot do anything; ask for 1 or more"
        raise ConfigError(msg)
    if name is None:
        name = "htex" if _htex() is not None else "threads"
    if name == "threads":
        executor = ThreadPoolExecutor(label="threads", max_threads=count)
        return Engine("threads", executor, count, has_processes=False)
    pool = _htex() if name == "htex" else None
    if pool is None:
        msg = f"there is no executor {name!r} for the demo here; threads always works"
        raise ConfigError(msg)
    executor = pool(label="htex", max_workers_per_node=count)
    return Engine("htex", executor, count, has_processes=True)


def _htex() -> Any:
    """The class, or None where the brick is not installed."""
    if find_spec(_HTEX) is None:
        return None
    return getattr(importlib.import_module(_HTEX), "HighThroughputExecutor", None)
