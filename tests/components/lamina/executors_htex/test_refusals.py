"""Tasks that no block of an executor will ever run."""

import platform
from typing import Any

import pytest

from lamina.executors import Call, TaskRequest
from lamina.executors_htex.refusals import refusal, refused
from lamina.providers import LocalProvider
from lamina.vocabulary import AttemptId, Cause, HasStarted, ResourcesUnavailable


class OfLimitedTime(LocalProvider):
    walltime = 600.0


class Elsewhere(LocalProvider):
    blocks_are_local = False


def task(**options: Any) -> TaskRequest:
    return TaskRequest(AttemptId(7), Call(abs, (-3,)), name="the task", **options)


@pytest.mark.parametrize(
    "provider, options, says",
    [
        (OfLimitedTime(), {"expected": 541}, "expected to take 541 s, and a block lasts 600 s"),
        (LocalProvider(), {"expected": float("nan")}, "no time that a task can take"),
        (LocalProvider(), {"expected": -1}, "no time that a task can take"),
        (LocalProvider(), {"avoid": [platform.node()]}, "every block of this executor is there"),
    ],
)
def test_what_can_run_nowhere_is_refused_with_what_to_change(
    provider: LocalProvider, options: dict[str, Any], says: str
) -> None:
    assert says in refusal(task(**options), provider)


@pytest.mark.parametrize(
    "provider, options",
    [
        (OfLimitedTime(), {"expected": 540}),
        (LocalProvider(), {"expected": 10**9}),
        (LocalProvider(), {"avoid": ["another"]}),
        (Elsewhere(), {"avoid": [platform.node()]}),
    ],
)
def test_what_may_run_somewhere_is_not(provider: LocalProvider, options: dict[str, Any]) -> None:
    assert refusal(task(**options), provider) == ""


def test_it_ends_as_one_for_which_there_are_no_resources() -> None:
    outcome = refused(task(), "so it is")
    assert outcome.attempt == 7
    failure = outcome.failure
    assert failure is not None
    assert (failure.cause, failure.started) == (Cause.RESOURCES, HasStarted.NO)
    assert isinstance(failure.error, ResourcesUnavailable)
    assert str(failure.error) == "the task cannot run here: so it is"
