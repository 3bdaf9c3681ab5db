import math

import pytest

from lamina.retry_policy import Again, Attempt, CostBudget, GiveUp, TaskRecord
from lamina.vocabulary import Cause, ConfigError
from tests.fakes.troubles import failed, story, trouble


def free_where_the_disk_was_full(error: BaseException, task: TaskRecord) -> float:
    return 0 if isinstance(error, OSError) else 1


def test_without_a_handler_each_failure_costs_one() -> None:
    decisions = story(CostBudget(2), lambda n: failed())
    assert decisions[:-1] == [Again(cost=1), Again(cost=1)]
    assert decisions[-1] == GiveUp("its failures cost 3, and a budget of 2 allows no more")


def test_the_handler_says_what_a_failure_costs() -> None:
    policy = CostBudget(1, free_where_the_disk_was_full)
    full, bug = failed(error=OSError("no space")), failed(error=ValueError("bug"))
    decisions = story(policy, lambda n: bug if n in (3, 6) else full)
    assert [one.cost for one in decisions[:-1] if isinstance(one, Again)] == [0, 0, 0, 1, 0, 0]
    assert isinstance(decisions[-1], GiveUp)


def test_the_handler_is_asked_once_for_each_failure() -> None:
    asked: list[int] = []

    def handler(error: BaseException, task: TaskRecord) -> float:
        asked.append(task.fail_count)
        return 1

    story(CostBudget(3, handler), lambda n: failed())
    assert asked == [1, 2, 3, 4]


def test_more_than_the_budget_at_once_is_final() -> None:
    assert isinstance(CostBudget(9, lambda *_: math.inf).decide(trouble(failed())), GiveUp)
    assert isinstance(CostBudget(0, lambda *_: 1).decide(trouble(failed())), GiveUp)
    assert CostBudget(0, lambda *_: 0).decide(trouble(failed())) == Again(cost=0)


def test_tenths_that_make_up_the_budget_are_within_it() -> None:
    decisions = story(CostBudget(0.3, lambda *_: 0.1), lambda n: failed())
    assert decisions[:-1] == [Again(cost=0.1)] * 3


def test_what_others_have_charged_is_spent_too() -> None:
    attempts = [Attempt(failure=failed(), executor="a", cost=1.5) for _ in range(3)]
    told = trouble(*[one.failure for one in attempts], attempts=tuple(attempts))
    assert CostBudget(4).decide(told) == Again(cost=1)
    assert isinstance(CostBudget(3.9).decide(told), GiveUp)


def test_free_attempts_come_to_an_end() -> None:
    decisions = story(CostBudget(0, lambda *_: 0, most_attempts=7), lambda n: failed())
    assert len(decisions) == 7
    assert decisions[-1] == GiveUp("it failed 7 times, and most_attempts=7 allows no more")


def test_a_task_that_kills_its_workers_ends_however_cheap_it_is() -> None:
    killer = failed(Cause.WORKER_LOST, worker="1", node="n1")
    decisions = story(CostBudget(0, lambda *_: 0, crash_limit=2), lambda n: killer)
    assert len(decisions) == 2
    assert isinstance(decisions[-1], GiveUp)
    assert "crash_limit=2" in decisions[-1].reason


def test_what_cannot_be_tried_again_is_not_priced() -> None:
    policy = CostBudget(5, lambda *_: pytest.fail("it was asked"))
    assert isinstance(policy.decide(trouble(failed(Cause.DEPENDENCY))), GiveUp)


@pytest.mark.parametrize("cost", [None, "1", True, -1, math.nan])
def test_a_cost_that_is_no_number_is_a_fault_of_the_handler(cost: float) -> None:
    with pytest.raises(ConfigError, match="retry_handler returned"):
        CostBudget(5, lambda *_: cost).decide(trouble(failed()))


def test_what_a_handler_raises_is_raised() -> None:
    def handler(error: BaseException, task: TaskRecord) -> float:
        return float(task["colour"])

    with pytest.raises(KeyError, match="colour"):
        CostBudget(5, handler).decide(trouble(failed()))


@pytest.mark.parametrize(
    "options",
    [{"budget": -1}, {"budget": math.inf}, {"handler": 3}, {"most_attempts": 0}],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        CostBudget(**options)  # type: ignore[arg-type]
