from collections.abc import Mapping
from typing import Any

import attrs

from lamina.conformance import MANAGER_SELECTOR
from lamina.htex_core import ManagerInfo
from tests.kits import assert_each_clause_can_fail


@attrs.define(eq=False)
class Stubborn:
    """Chooses the same manager whatever room it has."""

    answer: str = ""

    def came(self, manager: ManagerInfo) -> None:
        self.answer = self.answer or manager.uid

    def changed(self, uid: str, free: int) -> None:
        pass

    def gone(self, uid: str) -> None:
        pass

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        return self.answer


@attrs.define(eq=False)
class Forgetful(Stubborn):
    """Does not know what came back."""

    def gone(self, uid: str) -> None:
        self.answer = "nobody"


@attrs.define(eq=False)
class Curious(Stubborn):
    """Knows what to do with some hints alone."""

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        return "nobody" if hints else self.answer


class Untold(Stubborn):
    """Keeps what nobody can write down."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = object()  # type: ignore[assignment]


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        MANAGER_SELECTOR,
        {
            "selector.room": Stubborn,
            "selector.all": Stubborn,
            "selector.again": Forgetful,
            "selector.hints": Curious,
            "selector.travels": Untold,
        },
    )
