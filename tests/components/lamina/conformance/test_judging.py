from collections.abc import Sequence
from itertools import count
from typing import Any

from lamina.conformance import BLOCK_ERROR_POLICY
from lamina.scaling import Ending
from tests.kits import assert_each_clause_can_fail


class Says:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def verdict(self, endings: Sequence[Ending], now: float) -> Any:
        return self.answer


class Moody:
    def __init__(self) -> None:
        self.asked = count()

    def verdict(self, endings: Sequence[Ending], now: float) -> str:
        return "enough" if next(self.asked) % 2 else ""


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        BLOCK_ERROR_POLICY,
        {
            "errors.text": lambda: Says(None),
            "errors.innocent": lambda: Says("no"),
            "errors.stateless": Moody,
        },
    )
