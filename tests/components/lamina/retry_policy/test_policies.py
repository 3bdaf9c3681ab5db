import pytest

from lamina.retry_policy import Again, Default, GiveUp, Never, Retries, Trouble, default_policy
from lamina.vocabulary import Cause, ConfigError, Failure, HasStarted


def trouble(*failures: Failure) -> Trouble:
    return Trouble(task="t", failure=failures[-1], history=failures, executor="htex")


def failed(cause: Cause, started: HasStarted = HasStarted.YES) -> Failure:
    return Failure(cause=cause, error=RuntimeError("no"), started=started)


@pytest.mark.parametrize("cause", Cause)
def test_never_gives_up_at_once(cause: Cause) -> None:
    assert isinstance(Never().decide(trouble(failed(cause))), GiveUp)


def test_retries_counts_attempts_after_the_first() -> None:
    policy = Retries(2)
    failure = failed(Cause.APPLICATION)
    assert policy.decide(trouble(failure)) == Again()
    assert policy.decide(trouble(failure, failure)) == Again()
    decision = policy.decide(trouble(failure, failure, failure))
    assert isinstance(decision, GiveUp)
    assert "retries=2" in decision.reason


@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.DEPENDENCY])
def test_what_was_cancelled_or_lacks_a_dependency_is_not_tried_again(cause: Cause) -> None:
    assert isinstance(Retries(5).decide(trouble(failed(cause))), GiveUp)


@pytest.mark.parametrize("count", [-1, 1.5, True, "2"])
def test_a_count_that_cannot_work_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="count"):
        Retries(count)


def test_the_default_never_runs_an_application_error_again() -> None:
    assert isinstance(Default().decide(trouble(failed(Cause.APPLICATION))), GiveUp)


@pytest.mark.parametrize("started", [HasStarted.YES, HasStarted.UNKNOWN])
def test_the_default_never_runs_again_what_may_have_run(started: HasStarted) -> None:
    assert isinstance(Default().decide(trouble(failed(Cause.WORKER_LOST, started))), GiveUp)


def test_the_default_grants_one_free_attempt_to_what_had_not_started() -> None:
    lost = failed(Cause.NODE_LOST, HasStarted.NO)
    assert default_policy().decide(trouble(lost)) == Again()
    assert isinstance(default_policy().decide(trouble(lost, lost)), GiveUp)


def test_the_default_does_not_repeat_what_cannot_be_pickled() -> None:
    failure = failed(Cause.SERIALIZATION, HasStarted.NO)
    assert isinstance(Default().decide(trouble(failure)), GiveUp)
