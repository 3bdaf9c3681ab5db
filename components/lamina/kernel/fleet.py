"""The executors of one kernel: started together, chosen among, closed together."""

import copy
import logging
import threading
from collections.abc import Collection, Mapping, Sequence

from lamina.executors import AlreadyStartedError, Executor, Site
from lamina.kernel.crew import Crew
from lamina.routing import Candidate, LeastLoaded, Router
from lamina.vocabulary import ConfigError, Resources

__all__ = ["Fleet"]

_LOG = logging.getLogger(__name__)
_FIELDS = ("cores", "memory", "accelerators", "nodes", "ranks", "extra")


class Fleet:
    """Running executors by label.

    Raises:
        Exception: One could not start; those that had are closed again.
    """

    def __init__(self, executors: Sequence[Executor], router: Router | None, site: Site) -> None:
        self._router: Router = LeastLoaded() if router is None else router
        self._site = site
        running: dict[str, Executor] = {}
        try:
            for executor in executors:
                running[executor.label] = _start(executor, site)
        except BaseException:
            for started in running.values():
                _close(started, 5)
            raise
        self.running: Mapping[str, Executor] = running
        self._honoured = {
            label: executor.capabilities.resources for label, executor in running.items()
        }
        self._all = tuple(running)

    @property
    def labels(self) -> Sequence[str]:
        """The labels of those that users gave."""
        return self._all

    def add(self, executor: Executor) -> None:
        """Start one more, to which the router sends nothing by itself."""
        started = _start(executor, self._site)
        self.running = {**self.running, started.label: started}
        self._honoured[started.label] = started.capabilities.resources

    def check(self, labels: Collection[str]) -> None:
        """Refuse labels that do not exist.

        Raises:
            ConfigError: It says which do.
        """
        for label in labels:
            if label not in self._all:
                known = ", ".join(repr(known) for known in self._all)
                msg = f"there is no executor labelled {label!r}; the labels are {known}"
                raise ConfigError(msg)
        if not labels:
            msg = "executors is empty, so the task could run nowhere; leave it out for all"
            raise ConfigError(msg)

    def able(self, resources: Resources | None) -> list[str]:
        """The labels of the executors that honour these resources."""
        asked = {name for name in _FIELDS if resources is not None and getattr(resources, name)}
        return [label for label, honoured in self._honoured.items() if asked <= honoured]

    def route(self, task: str, labels: Sequence[str] | None, resources: Resources | None) -> str:
        """Choose an executor for a task.

        Raises:
            ConfigError: None of those allowed honours the resources that it asks for.
        """
        able: Sequence[str] = self._all if labels is None else labels
        if resources is not None:
            asked = {name for name in _FIELDS if getattr(resources, name)}
            allowed, able = able, [name for name in able if asked <= self._honoured[name]]
            if not able:
                msg = f"{task} asks for {_in_words(asked, resources)}, and " + "; ".join(
                    f"{name!r} does not honour {_in_words(asked - self._honoured[name], resources)}"
                    for name in allowed
                )
                raise ConfigError(msg)
        if len(able) == 1:
            return able[0]
        candidates = [
            Candidate(label, *self.running[label].load(), self._honoured[label]) for label in able
        ]
        chosen = self._router.choose(task, resources, candidates)
        if chosen not in able:
            msg = f"the router chose {chosen!r} for {task}; it may choose {', '.join(able)}"
            raise ConfigError(msg)
        return chosen

    def close(self, timeout: float | None) -> None:
        """Close all of them at once."""
        crew = Crew("lamina-closing", len(self.running))
        if len(self.running) > 1:
            left = threading.Semaphore(0)
            for executor in self.running.values():

                def end(executor: Executor = executor) -> None:
                    _close(executor, timeout)
                    left.release()

                crew.put(end)
            for _ in self.running:
                left.acquire()
            crew.stop()
        else:
            for executor in self.running.values():
                _close(executor, timeout)


def _start(executor: Executor, site: Site) -> Executor:
    try:
        executor.start(site)
    except AlreadyStartedError:
        executor = copy.copy(executor)
        executor.start(site)
    return executor


def _close(executor: Executor, timeout: float | None) -> None:
    try:
        executor.close(timeout)
    except Exception:  # the others must be closed all the same
        _LOG.exception("executor %r could not be closed", executor.label)


def _in_words(names: Collection[str], resources: Resources) -> str:
    """Fields of what is asked for; of ``extra`` also what is in it, which is what the user said."""
    extra = f"extra ({', '.join(resources.extra)})"
    return ", ".join(extra if name == "extra" else name for name in sorted(names))
