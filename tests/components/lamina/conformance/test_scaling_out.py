from itertools import count
from typing import Any

from lamina.conformance import SCALING_STRATEGY
from lamina.scaling import BlocksView
from tests.kits import assert_each_clause_can_fail


class Says:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def target(self, view: BlocksView) -> Any:
        return self.answer


class Counts:
    def __init__(self) -> None:
        self.asked = count()

    def target(self, view: BlocksView) -> int:
        return next(self.asked)


class Restless:
    """Wants one more when there is an even number, and one less otherwise."""

    def target(self, view: BlocksView) -> int:
        return len(view.blocks) + (-1 if len(view.blocks) % 2 else 1)


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        SCALING_STRATEGY,
        {
            "scaling.number": lambda: Says(1.5),
            "scaling.stateless": Counts,
            "scaling.settles": Restless,
        },
    )
