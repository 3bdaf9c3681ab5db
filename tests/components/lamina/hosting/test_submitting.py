from typing import Any

import pytest

from lamina.executors import Call, Payload
from lamina.hosting import Submitter, TaskFuture, TaskOptions
from lamina.vocabulary import AttemptId, ConfigError, UsageError


class _Taker:
    def __init__(self) -> None:
        self.taken: list[tuple[Call | Payload, str, TaskOptions]] = []
        self.submitter = Submitter(self.take, TaskOptions())

    def take(self, call: Call | Payload, name: str, options: TaskOptions) -> TaskFuture[Any]:
        self.taken.append((call, name, options))
        return TaskFuture(AttemptId(1), lambda task: False)


def test_a_call_is_taken_with_its_name() -> None:
    taker = _Taker()
    taker.submitter.submit(pow, 2, 10)
    assert taker.taken == [(Call(pow, (2, 10), {}), "pow", TaskOptions())]


def test_a_payload_is_taken_with_its_runner() -> None:
    taker = _Taker()
    taker.submitter.submit_payload("acme.worker:Run.call", bytearray(b"abc"))  # type: ignore[arg-type]
    ((call, name, _),) = taker.taken
    assert call == Payload("acme.worker:Run.call", b"abc")
    assert name == "acme.worker:Run.call"


@pytest.mark.parametrize("runner", ["", "acme.worker", "acme.worker:", ":run", "acme worker:run"])
def test_a_runner_is_a_module_and_a_name(runner: str) -> None:
    with pytest.raises(UsageError, match="write module:name"):
        _Taker().submitter.submit_payload(runner, b"")


def test_options_belong_to_what_they_made_alone() -> None:
    taker = _Taker()
    patient = taker.submitter.options(walltime="2 min", priority=3, executor="far")
    patient.submit(abs, -1)
    taker.submitter.submit(abs, -1)
    wanted = TaskOptions(walltime=120, priority=3, executor="far")
    assert [options for _, _, options in taker.taken] == [wanted, TaskOptions()]


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="walltime"):
        _Taker().submitter.options(walltime="soon")
    with pytest.raises(ConfigError, match="expected"):
        _Taker().submitter.options(expected="soon")
    with pytest.raises(ConfigError, match="priority"):
        _Taker().submitter.options(priority="high")  # type: ignore[arg-type]
