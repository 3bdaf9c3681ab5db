from typing import Any

import pytest

from lamina.kernel import TaskOptions, TaskSpec
from lamina.kernel.task import Task
from lamina.kernel.troubles import change, retried, told_before, trouble_of
from lamina.retry_policy import Again
from lamina.vocabulary import Cause, Resources, TaskId
from tests.fakes.troubles import failed


def task(**options: Any) -> Task:
    made = TaskOptions(**options)
    spec = TaskSpec(print, name="say", options=made)
    return Task(TaskId(7), spec, (), made.executors, made.resources)


def test_a_trouble_has_all_that_is_known_of_the_task() -> None:
    one = task(memory_limit=2**20, walltime=60.0, resources=Resources(cores=2), executors=("a",))
    failure = failed(Cause.OUT_OF_MEMORY)
    told = trouble_of(one, failure, "a", ["a", "b"], 0.25)
    assert (told.task, told.name, told.id) == ("say (task 7)", "say", 7)
    assert (told.executor, told.executors, told.chance) == ("a", ("a",), 0.25)
    assert (told.memory_limit, told.walltime) == (2**20, 60.0)
    assert told.resources == Resources(cores=2)
    assert (told.failure, told.history, told.spent) == (failure, (failure,), 0)


def test_a_task_that_may_go_anywhere_may_go_to_every_executor() -> None:
    assert trouble_of(task(), failed(), "a", {"a": 1, "b": 2}, 0.5).executors == ("a", "b")


def test_it_may_go_only_where_it_is_able_to_run_and_allowed_to() -> None:
    one = task(executors=("a", "b"))
    assert trouble_of(one, failed(), "a", ["b", "c"], 0.5).executors == ("b",)


def test_an_event_says_why_there_is_a_new_attempt_and_what_is_other_about_it() -> None:
    told = trouble_of(task(), failed(Cause.NODE_LOST, node="n1"), "a", ["a"], 0.5)
    facts = retried(told, Again(delay=3))
    assert facts == {
        "task": 7,
        "name": "say",
        "failed": 1,
        "executor": "a",
        "node": "n1",
        "cause": "node_lost",
        "reason": "RuntimeError: no",
        "delay": 3,
    }
    changed = retried(told, Again(executors=["b"], avoid=("n1",), memory_limit=5, walltime=2.0))
    assert {name: value for name, value in changed.items() if name not in facts} == {
        "executors": ["b"],
        "avoid": ["n1"],
        "memory_limit": 5,
        "walltime": 2.0,
    }


def test_earlier_attempts_are_told_of_in_one_line() -> None:
    one = task()
    told = trouble_of(one, failed(node="n1"), "a", ["a"], 0.5)
    assert told_before(told) == ""
    trouble_of(one, failed(error=ValueError("x")), "a", ["a"], 0.5)
    told = trouble_of(one, failed(), "a", ["a"], 0.5)
    assert told_before(told) == "earlier attempts: 1 on n1: RuntimeError: no; 2: ValueError: x"
    for _ in range(9):
        told = trouble_of(one, failed(), "a", ["a"], 0.5)
    assert told_before(told).startswith("the last 5 of 11 earlier attempts: 7: RuntimeError")


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyError("no words")


def test_an_exception_that_cannot_be_printed_is_told_by_its_name() -> None:
    one = task()
    trouble_of(one, failed(error=Mute()), "a", ["a"], 0.5)
    told = trouble_of(one, failed(error=Mute()), "a", ["a"], 0.5)
    assert told_before(told) == "earlier attempts: 1: Mute"
    assert retried(told, Again())["reason"] == "Mute"


def test_the_history_says_with_what_each_attempt_was_made() -> None:
    one = task(memory_limit=1)
    trouble_of(one, failed(), "a", ["a", "b"], 0.1)
    change(one, Again(memory_limit=2, walltime=3.0, executors=["b"], cost=0.5))
    told = trouble_of(one, failed(), "b", ["a", "b"], 0.2)
    assert [attempt.memory_limit for attempt in told.attempts] == [1, 2]
    assert [attempt.walltime for attempt in told.attempts] == [None, 3.0]
    assert [attempt.executor for attempt in told.attempts] == ["a", "b"]
    assert [attempt.chance for attempt in told.attempts] == [0.1, 0.2]
    assert told.spent == 0.5
    assert told.executors == ("a", "b"), "it may still go where it might before"


def test_what_a_decision_leaves_out_stays() -> None:
    one = task(memory_limit=1, resources=Resources(cores=2), executors=("a",))
    change(one, Again())
    assert (one.executors, one.resources, one.memory_limit) == (("a",), Resources(cores=2), None)
    assert one.avoid == ()


def test_nodes_to_avoid_add_up() -> None:
    one = task()
    for nodes in (["n1"], ["n2", "n1"], []):
        change(one, Again(avoid=nodes))
    assert one.avoid == ("n1", "n2")


@pytest.mark.parametrize("changed", [False, True])
def test_the_next_attempt_is_made_with_what_was_changed(changed: bool) -> None:
    one = task(memory_limit=1, walltime=2.0)
    one.attempt, one.args, one.kwargs = 1, (), {}  # type: ignore[assignment]
    if changed:
        change(one, Again(memory_limit=10, walltime=20.0, resources=Resources(cores=3)))
    request = one.request()
    asked = (request.memory_limit, request.walltime, request.resources)
    assert asked == ((10, 20.0, Resources(cores=3)) if changed else (1, 2.0, None))
