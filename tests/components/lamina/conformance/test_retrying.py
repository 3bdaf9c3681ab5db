from itertools import count
from typing import Any

from lamina.conformance import RETRY_POLICY, run
from lamina.retry_policy import Again, GiveUp, MoreMemory, Retries, Trouble
from tests.kits import assert_each_clause_can_fail


class Says:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def decide(self, trouble: Trouble) -> Any:
        return self.answer


class Moody:
    def __init__(self) -> None:
        self.asked = count()

    def decide(self, trouble: Trouble) -> Again | GiveUp:
        return GiveUp() if next(self.asked) > 3 else Again()


def hasty() -> Again:
    """A decision whose delay went past its check."""
    decision = Again()
    object.__setattr__(decision, "delay", -1)
    return decision


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        RETRY_POLICY,
        {
            "retry.decides": lambda: Says(None),
            "retry.stateless": Moody,
            "retry.delay": lambda: Says(hasty()),
            "retry.executors": lambda: Says(Again(executors=[])),
            "retry.ends": lambda: Says(Again()),
        },
    )


def test_a_policy_that_keeps_them_all_is_found_to() -> None:
    assert run(RETRY_POLICY, lambda: MoreMemory("1 GiB") | Retries(2)).kept
