from pathlib import Path

from lamina.codec import PickleCodec, Shared
from lamina.executors import Call, Payload, Site, TaskRequest
from lamina.executors.calls import (
    cancelled,
    closed,
    expired,
    failed,
    raised,
    refusal,
    run_call,
    tell,
    warn_if_running,
)
from lamina.vocabulary import AttemptId, Cause, Event, HasStarted, WorkerLost

ONE = AttemptId(1)
A_TASK = TaskRequest(ONE, Call(abs, (1,)), name="a", walltime=2.5)


def test_calls_and_payloads_run():
    assert run_call(Call(int, ("11",), {"base": 2})) == 3
    assert run_call(Payload("base64:b64encode", b"abc")) == b"YWJj"


def test_a_dropped_attempt_says_whether_it_goes_on():
    queued = cancelled(A_TASK, None, 9.0).failure
    running = closed(A_TASK, "pool", 8.0, 9.0).failure
    assert queued is not None
    assert running is not None
    assert (queued.cause, queued.started, queued.stopped) == (Cause.CANCELLED, HasStarted.NO, True)
    assert queued.error.cause is Cause.CANCELLED
    assert (running.cause, running.started, running.stopped) == (
        Cause.CLOSED,
        HasStarted.YES,
        False,
    )
    assert "pool" in str(running.error)


def test_only_what_goes_on_is_warned_of(caplog):
    events: list[Event] = []
    site = Site(run_dir=Path(), emit=events.extend)
    warn_if_running(site, "pool", A_TASK, None, 9.0)
    assert events == []
    warn_if_running(site, "pool", A_TASK, 6.5, 9.0)
    facts = {"name": "a", "attempt": 1, "executor": "pool", "after": 2.5}
    assert events == [Event(9.0, "task.unstopped", facts)]
    warn_if_running(Site(run_dir=Path()), "pool", A_TASK, 6.5, 9.0)
    assert "goes on in executor 'pool'" in caplog.text


def test_an_expired_attempt_names_its_walltime():
    failure = expired(A_TASK, 8.0, 9.0).failure
    assert failure is not None
    assert "a has run for longer than its walltime of 2.5 s" in str(failure.error)


def test_an_attempt_that_raised_keeps_its_error_and_times():
    error = ValueError("no")
    outcome = raised(ONE, error, 8.0, 9.0)
    assert outcome.failure is not None
    assert outcome.failure.error is error
    assert outcome.failure.cause is Cause.APPLICATION
    assert (outcome.began, outcome.ended) == (8.0, 9.0)


def test_an_attempt_that_failed_outside_its_code_says_by_what():
    because = OSError("gone")
    failure = failed(ONE, WorkerLost("lost", HasStarted.UNKNOWN), because).failure
    assert failure is not None
    assert (failure.cause, failure.started) == (Cause.WORKER_LOST, HasStarted.UNKNOWN)
    assert failure.error.__cause__ is because


def test_only_what_cannot_be_given_is_refused():
    assert refusal(A_TASK, "pool", "it is small") is None
    for asked in ({"env": {"A": "1"}}, {"memory_limit": 1}):
        refused = refusal(TaskRequest(ONE, Call(abs, (1,)), **asked), "pool", "it is small")
        assert refused is not None
        assert refused.failure is not None
        assert refused.failure.started is HasStarted.NO
        assert f"task attempt 1 asks for {next(iter(asked))}=" in str(refused.failure.error)
        assert "because it is small" in str(refused.failure.error)


def test_telling_outlives_a_broken_report(caplog):
    def broken(news):
        raise ValueError("broken")

    tell(broken, [])
    assert "broken" in caplog.text


def test_handles_become_what_they_stand_for():
    handle = Shared([3, 1, 2], PickleCodec().dump)
    assert run_call(Call(sorted, (handle,), {"reverse": True})) == [3, 2, 1]
    assert run_call(Call(sum, ([handle], []))) == [3, 1, 2]
