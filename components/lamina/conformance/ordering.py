"""The kit of QueueOrder."""

import heapq
from collections.abc import Iterator

from lamina.conformance.clauses import Kit, clause, expect
from lamina.htex_core import QueuedTask, QueueOrder, comparable

__all__ = ["QUEUE_ORDER"]


def _tasks() -> Iterator[QueuedTask]:
    for name in ("", "simulate", "ünïcode"):
        for priority in (0, -3, 2.5, 10**9):
            for expected in (None, 0.0, 0.1, 86400.0):
                for walltime in (None, 60.0):
                    yield QueuedTask(name, priority, expected, walltime)
    yield QueuedTask(hints={"cost": 3, "site": "a"})


@clause("order.key")
def _key(order: QueueOrder) -> None:
    """Every task gets a key: a number, text, None or a tuple of these."""
    for task in _tasks():
        try:
            comparable(order.key(task))
        except Exception as error:  # of the order, or of a key that is none
            expect(False, else_say=f"{type(error).__name__}: {error}, for {task}")


@clause("order.total")
def _total(order: QueueOrder) -> None:
    """Any two keys can be compared, so that a queue of all tasks has one order."""
    keys = [comparable(order.key(task)) for task in _tasks()]
    heap = list(keys)
    heapq.heapify(heap)
    popped = [heapq.heappop(heap) for _ in keys]
    expect(popped == sorted(keys), else_say="a heap of them is in another order than a list")


@clause("order.stateless")
def _stateless(order: QueueOrder) -> None:
    """The same task gets the same key, whatever was asked between."""
    first = [order.key(task) for task in _tasks()]
    again = [order.key(task) for task in reversed(list(_tasks()))]
    expect(first == again[::-1], else_say="another key the second time")


QUEUE_ORDER = Kit("queue_order", "QueueOrder", 1, (_key, _total, _stateless))
