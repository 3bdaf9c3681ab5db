"""Reports what has become of attempts, to whoever launched them.

That decodes results and runs reports, which is others' code and may take long: so it is a thread's
own work, and those that have news only put them down.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeAlias

from lamina.codec import Codec
from lamina.executors import News, Outcome, Report, Started, TaskRequest
from lamina.executors_htex.guard import Guard
from lamina.executors_htex.outcomes import outcome_of, outcomes_of_ended
from lamina.htex_core import ClientEffect, Deliver, Ended, ManagerCame, ManagerWent, Ran, Unfit
from lamina.vocabulary import AttemptId

__all__ = ["Delivery", "HandleGone"]

_LOG = logging.getLogger(__name__)


class HandleGone(NamedTuple):
    """The program has dropped the last handle to a shared object."""

    digest: bytes


class _Owner(NamedTuple):
    """Who hears of an attempt, and what the task is called; tasks of one app share it."""

    report: Report
    name: str


_Item: TypeAlias = ClientEffect | Outcome | HandleGone
_ByReport: TypeAlias = dict[int, tuple[Report, list[News]]]


class Delivery:
    """News of one executor, in the order in which they were put down.

    Args:
        label: The executor's.
        codec: Reads results.
        guard: Hears how tasks end on which manager; None for nobody.
        let_go: Called when no handle to a shared object is left, with its digest.
    """

    def __init__(
        self, label: str, codec: Codec, guard: Guard | None, let_go: Callable[[bytes], None]
    ) -> None:
        self._label, self._codec, self._guard, self._let_go = label, codec, guard, let_go
        self._owners: dict[int, _Owner] = {}
        self._last: _Owner | None = None
        self._items: SimpleQueue[Sequence[_Item] | None] = SimpleQueue()

    # Any thread.

    def expect(self, task: TaskRequest, report: Report) -> None:
        """Somebody is to hear of this attempt, until it has its outcome."""
        owner = self._last
        if owner is None or owner.name != task.name or owner.report is not report:
            owner = self._last = _Owner(report, task.name)
        self._owners[task.attempt] = owner

    def forget(self, tasks: Iterable[TaskRequest]) -> None:
        """Nobody is to hear of these."""
        for task in tasks:
            self._owners.pop(task.attempt, None)

    def put(self, news: Sequence[_Item]) -> None:
        """Have these reported; never waits."""
        self._items.put(news)

    def stop(self) -> None:
        """End ``run`` once it has reported what is there."""
        self._items.put(None)

    # The thread.

    def run(self) -> None:
        """Report what is put down, until ``stop``."""
        while self._deliver():
            pass

    def end_all(self, reason: str) -> None:
        """Fail whatever has no outcome yet: nobody knows which ones were lost."""
        left = dict(self._owners)  # and no new dict: launch() may be about to use this one
        for attempt in left:
            self._owners.pop(attempt, None)
        lost = outcomes_of_ended(Ended([*left], "executor_lost", reason, "unknown"))
        for owner, outcome in zip(left.values(), lost, strict=True):
            owner.report([outcome])

    def _deliver(self) -> bool:
        """Wait for news and report all there is; False at the end.

        A function of its own, because while it waits it must keep nobody's results alive.
        """
        items = self._items
        batch = items.get()
        by_report: _ByReport = {}
        try:
            while batch is not None:
                for item in batch:
                    self._sort(item, by_report)
                try:
                    batch = items.get_nowait()
                except Empty:
                    break
        finally:
            _report_all(by_report)  # whatever happens: nobody else knows of these any more
        return batch is not None

    def _sort(self, item: _Item, by_report: _ByReport) -> None:
        guard = self._guard
        if guard is not None and isinstance(item, ManagerCame | ManagerWent):
            guard.hear(item)
        manager = item.manager if type(item) is Deliver else None
        awake = guard is not None and guard.awake
        for news in self._news_of(item):
            final = type(news) is Outcome
            owner = (self._owners.pop if final else self._owners.get)(news.attempt, None)
            if owner is None:
                continue
            report = owner.report
            by_report.setdefault(id(report), (report, []))[1].append(news)
            if manager is None or guard is None or not isinstance(news, Outcome):
                continue
            if awake or news.failure is not None:
                guard.ended(manager, owner.name, news)
                awake = True

    def _news_of(self, item: _Item) -> Sequence[News]:
        if isinstance(item, Outcome):
            return [item]
        if isinstance(item, Deliver):
            return [outcome_of(wire, item.manager, self._codec) for wire in item.outcomes]
        if isinstance(item, Ended):
            return outcomes_of_ended(item)
        if isinstance(item, HandleGone):
            self._let_go(item.digest)
        if isinstance(item, Unfit):
            _LOG.critical("executor %r: %s", self._label, item.reason)
        if isinstance(item, Ran):
            node = None if item.manager is None else item.manager.host
            return [Started(AttemptId(attempt), at, node) for attempt, at in item.marks]
        return []


def _report_all(by_report: Mapping[int, tuple[Report, list[News]]]) -> None:
    """Report to everybody, and only then fail if a report did."""
    trouble: Exception | None = None
    for report, some in by_report.values():
        try:
            report(some)
        except Exception as error:  # a fault of whoever gave it
            trouble = trouble or error
    if trouble is not None:
        raise trouble
