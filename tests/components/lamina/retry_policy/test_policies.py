import pytest

from lamina.retry_policy import (
    Again,
    CrashLimit,
    Decision,
    Default,
    GiveUp,
    Never,
    Retries,
    RetryPolicy,
    Trouble,
    default_policy,
)
from lamina.vocabulary import Cause, ConfigError, Failure, HasStarted
from tests.fakes.troubles import hopeless_transfer


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


def test_the_default_does_not_repeat_a_transfer_that_cannot_work() -> None:
    assert isinstance(Default().decide(trouble(hopeless_transfer())), GiveUp)
    assert Default().decide(trouble(failed(Cause.STAGING, HasStarted.NO))) == Again()


def test_the_default_does_not_repeat_what_cannot_be_pickled() -> None:
    failure = failed(Cause.SERIALIZATION, HasStarted.NO)
    assert isinstance(Default().decide(trouble(failure)), GiveUp)


class Always:
    def decide(self, trouble: Trouble) -> Decision:
        return Again()


def killed(worker: str, node: str = "n1", started: HasStarted = HasStarted.YES) -> Failure:
    return Failure(
        cause=Cause.WORKER_LOST,
        error=RuntimeError("SIGKILL"),
        started=started,
        node=node,
        block="0",
        worker=worker,
    )


@pytest.mark.parametrize("policy", [Retries(100), CrashLimit(Always())])
def test_a_task_that_has_killed_three_workers_is_given_up_and_they_are_named(
    policy: RetryPolicy,
) -> None:
    history = [killed("1"), failed(Cause.APPLICATION), killed("4", "n2"), killed("7")]
    for count in range(1, 4):
        assert policy.decide(trouble(*history[:count])) == Again()
    decision = policy.decide(trouble(*history))
    assert isinstance(decision, GiveUp)
    for part in ("3 workers", "worker 1 on n1", "worker 4 on n2", "worker 7 on n1", "SIGKILL"):
        assert part in decision.reason


@pytest.mark.parametrize(
    "innocent",
    [
        killed("1", started=HasStarted.NO),
        failed(Cause.NODE_LOST),
        failed(Cause.BLOCK_ENDED),
        failed(Cause.TASK_WALLTIME),
    ],
)
def test_what_the_task_did_not_kill_is_not_held_against_it(innocent: Failure) -> None:
    assert CrashLimit(Always()).decide(trouble(*[innocent] * 9)) == Again()


def test_the_crash_limit_can_be_set() -> None:
    policy = CrashLimit(Always(), limit=1)
    assert isinstance(policy.decide(trouble(killed("1"))), GiveUp)
    assert policy.decide(trouble(failed(Cause.APPLICATION))) == Again()
    with pytest.raises(ConfigError, match="limit"):
        CrashLimit(Always(), limit=-1)
