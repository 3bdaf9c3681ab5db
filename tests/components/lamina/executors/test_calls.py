from lamina.executors import Call, Payload, TaskRequest
from lamina.executors.calls import cancelled, closed, expired, refusal, run_call, tell
from lamina.vocabulary import AttemptId, Cause, HasStarted

ONE = AttemptId(1)


def test_calls_and_payloads_run():
    assert run_call(Call(int, ("11",), {"base": 2})) == 3
    assert run_call(Payload("base64:b64encode", b"abc")) == b"YWJj"


def test_a_dropped_attempt_says_whether_it_goes_on():
    queued = cancelled(ONE, "a", None, 9.0).failure
    running = closed(ONE, "a", "pool", 8.0, 9.0).failure
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


def test_an_expired_attempt_names_its_walltime():
    failure = expired(ONE, "a", 2.5, 8.0, 9.0).failure
    assert failure is not None
    assert "2.5 s" in str(failure.error)


def test_only_what_cannot_be_given_is_refused():
    assert refusal(TaskRequest(ONE, Call(abs, (1,))), "pool") is None
    assert refusal(TaskRequest(ONE, Call(abs, (1,)), env={"A": "1"}), "pool") is not None


def test_telling_outlives_a_broken_report(caplog):
    def broken(news):
        raise ValueError("broken")

    tell(broken, [])
    assert "broken" in caplog.text
