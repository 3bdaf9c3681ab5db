import threading
from dataclasses import dataclass
from typing import Any

import pytest

from lamina.apps import AUTO_LOGNAME, AppFuture, bash_app, join_app, python_app
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.kernel import Config, DataFlowKernel
from lamina.retry_policy import Decision, Trouble
from lamina.vocabulary import (
    ConfigError,
    FutureInArgumentsError,
    NoDataFlowKernelError,
    TaskWalltime,
    UsageError,
    WaitInsideTaskError,
)


@python_app
def inc(x: int) -> int:
    return x + 1


class Scale:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @python_app
    def times(self, x: int) -> int:
        return x * self.factor

    @python_app
    def total(*values: Any) -> int:
        return sum(values[1:]) * values[0].factor


def test_calls_compose(kernel: DataFlowKernel) -> None:
    assert inc(inc(x=1)).result(10) == 3


def test_an_app_may_be_a_method(kernel: DataFlowKernel) -> None:
    assert Scale(3).times(inc(1)).result(10) == 6
    assert Scale.times(Scale(3), 4).result(10) == 12
    assert Scale(3).times.options(priority=1)(5).result(10) == 15
    assert str(Scale(1).times.__signature__) == "(x: int) -> int"
    assert str(Scale(1).total.__signature__) == "(*values: Any) -> int"
    assert Scale(3).total(1, 2).result(10) == 9


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class FrozenPolicy:
    def decide(self, trouble: Trouble) -> Decision:
        raise FrozenError(4)


def test_exceptions_that_are_frozen_end_their_tasks(kernel: DataFlowKernel) -> None:
    @python_app
    def fails() -> None:
        raise FrozenError(3)

    @join_app
    def joins() -> None:
        raise FrozenError(3)

    for app in (fails, fails.options(retries=1), joins):
        error = app().exception(10)
        assert error == FrozenError(3)
        assert "Lamina: raised in" in error.__notes__[-1]
    error = fails.options(retry=FrozenPolicy())().exception(10)
    assert error == FrozenError(4)
    assert error.__cause__ == FrozenError(3)


def test_an_async_function_runs_to_its_end(kernel: DataFlowKernel) -> None:
    @python_app
    async def later(x: int) -> int:
        return x + 1

    assert later(1).result(10) == 2


def test_wrong_arguments_fail_at_the_call(kernel: DataFlowKernel) -> None:
    for args, kwargs in [((), {}), ((1, 2), {}), ((1,), {"y": 2})]:
        with pytest.raises(TypeError, match=r"inc\(\)"):
            inc(*args, **kwargs)


def test_a_future_where_nobody_looks_is_an_error_at_the_call(kernel: DataFlowKernel) -> None:
    with pytest.raises(FutureInArgumentsError):
        inc([inc(1)])


def test_an_unknown_label_is_an_error_at_the_call(kernel: DataFlowKernel) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        inc.options(executors=["nowhere"])(1)


def test_without_a_kernel_a_call_says_how_to_load_one() -> None:
    with pytest.raises(NoDataFlowKernelError, match="inc"):
        inc(1)


def test_an_app_may_have_a_kernel_of_its_own(tmp_path: Any) -> None:
    with DataFlowKernel(Config(run_dir=tmp_path)) as own:
        assert inc.options(data_flow_kernel=own)(1).result(10) == 2


def test_options_make_another_app_and_leave_this_one(kernel: DataFlowKernel) -> None:
    other = inc.options(name="other", priority=3)
    assert other(1).described.startswith("other")
    assert inc(1).described.startswith("inc")
    with pytest.raises(ConfigError, match="priority"):
        inc.options(nonsense=1)  # type: ignore[call-arg]


def test_retries_run_it_again(kernel: DataFlowKernel) -> None:
    tries: list[int] = []

    @python_app(retries=2)
    def third_time() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return len(tries)

    assert third_time().result(10) == 3


def test_a_result_is_remembered_where_that_is_asked(kernel: DataFlowKernel) -> None:
    app = python_app(cache=True, ignore_for_cache=["x"])(_counted)
    before = _COUNT[0]
    assert app(1).result(10) == app(2).result(10)
    assert _COUNT[0] == before + 1
    assert app.options(version="2")(1).result(10) is None
    assert _COUNT[0] == before + 2


_COUNT = [0]


def _counted(x: int) -> None:
    _COUNT[0] += 1


def test_automatic_names_of_streams_do_not_count_for_the_memo_but_others_do(
    kernel: DataFlowKernel, tmp_path: Any
) -> None:
    log = tmp_path / "log"
    app = bash_app(cache=True)(_append)
    for _ in range(2):
        assert app(str(log), stdout=AUTO_LOGNAME).result(10) == 0
    assert log.read_text() == "x\n"
    assert app(str(log), stdout=str(tmp_path / "a")).result(10) == 0
    assert log.read_text() == "x\nx\n"


def _append(path: str) -> str:
    return f"echo x >> {path}"


def test_waiting_inside_a_task_is_refused_at_once(kernel: DataFlowKernel) -> None:
    gate = threading.Event()

    @python_app
    def held() -> int:
        gate.wait(10)
        return 1

    future = held()

    @python_app
    def waits() -> int:
        return future.result()

    with pytest.raises(WaitInsideTaskError, match="join_app"):
        waits().result(10)
    gate.set()
    assert future.result(10) == 1
    assert waits().result(10) == 1


def test_the_walltime_of_a_call_holds(kernel: DataFlowKernel) -> None:
    @bash_app
    def slow() -> str:
        return "sleep 60"

    with pytest.raises(TaskWalltime):
        slow(walltime=0.2).result(10)
    with pytest.raises(TaskWalltime):
        slow.options(walltime="200 ms")().result(10)


def test_a_join_app_has_no_streams_of_its_own(kernel: DataFlowKernel) -> None:
    @join_app
    def joins() -> AppFuture[int]:
        return inc(1)

    with pytest.raises(UsageError, match="join_app"):
        joins(stdout="x")


def test_an_app_that_travels_is_one_like_it() -> None:
    codec = CloudpickleCodec()
    other = codec.load(codec.dump(inc.options(name="n", data_flow_kernel=None)))
    assert other._task_name == "n"
    assert other.__wrapped__(1) == 2
    assert codec.load(codec.dump(Scale(3).times))._receiver[0].factor == 3


def test_what_an_app_runs_is_sent_by_its_name() -> None:
    codec = CloudpickleCodec()
    form = codec.dump_call(inc.__wrapped__, (1,), {})
    assert form.function is not None
    sent = codec.load_function(form.function.form)
    assert sent is inc.__wrapped__
    function, args, kwargs = codec.load_call(form.buffers, sent)
    assert function(*args, **kwargs) == 2
