"""Our executors under the names and with the arguments that CPython's own tests use.

Importing this puts one of them, which ``LAMINA_STAND_IN`` names, in the place of the standard
library's. Nothing here adds behaviour: arguments are given our names, and what the tests look
up inside of an executor is found where ours keeps it.
"""

import concurrent.futures
import itertools
import logging
import os
from typing import Any

from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.executors_htex.delivery import Delivery
from lamina.vocabulary import SerializationError, WorkerLost

__all__ = ["Htex", "SerializationError", "Threads", "WorkerLost"]

_numbers = itertools.count()


class Threads(ThreadPoolExecutor):
    """``concurrent.futures.ThreadPoolExecutor``, as its tests call it."""

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Any = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(
            f"threads-{next(_numbers)}",
            max_workers,
            thread_name_prefix or None,
            initializer,
            initargs,
        )

    @property
    def _max_workers(self) -> int | None:
        return self.max_threads

    @property
    def _threads(self) -> list[Any]:
        crew = self._run.current
        return [] if crew is None else list(crew._threads.values())

    @property
    def _broken(self) -> bool:
        crew = self._run.current
        return crew is not None and crew._broken is not None


class Htex(HighThroughputExecutor):
    """``concurrent.futures.ProcessPoolExecutor``, as its tests call it."""

    def __init__(
        self, max_workers: int | None = None, mp_context: Any = None, **options: Any
    ) -> None:
        super().__init__(f"htex-{next(_numbers)}", max_workers_per_node=max_workers, **options)

    @property
    def _max_workers(self) -> int | None:
        return self.settings.max_workers_per_node

    @property
    def _broken(self) -> bool:
        engine = self._engine
        return engine is not None and engine._machine.broken is not None


class _AsTheirs(logging.Handler):
    """What our executors log, under the name that the tests listen to."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger("concurrent.futures").handle(record)


def _stand_in() -> None:
    if os.environ["LAMINA_STAND_IN"] == "threads":
        Threads.__name__ = "ThreadPoolExecutor"  # by which the tests import it in other processes
        concurrent.futures.ThreadPoolExecutor = Threads  # type: ignore[assignment, misc]
    else:
        Htex.__name__ = "ProcessPoolExecutor"
        concurrent.futures.ProcessPoolExecutor = Htex  # type: ignore[assignment, misc]
    for module in (ThreadPoolExecutor.__module__, Delivery.__module__):
        ours = logging.getLogger(module)
        ours.propagate = False
        ours.addHandler(_AsTheirs())


_stand_in()
