from itertools import count
from typing import Any

from lamina.conformance import QUEUE_ORDER
from lamina.htex_core import QueuedTask
from tests.kits import assert_each_clause_can_fail


class Says:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def key(self, task: QueuedTask) -> Any:
        return self.answer


class Counts:
    def __init__(self) -> None:
        self.asked = count()

    def key(self, task: QueuedTask) -> int:
        return next(self.asked)


class Odd(float):
    """A number that will not be compared."""

    def __lt__(self, other: object) -> bool:
        return True


class Circular:
    def key(self, task: QueuedTask) -> float:
        return Odd(task.priority)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        QUEUE_ORDER,
        {
            "order.key": lambda: Says(object()),
            "order.total": Circular,
            "order.stateless": Counts,
        },
    )
