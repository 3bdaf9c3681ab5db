"""One test for each keyword that every call of an app takes, as the tables of the reference do."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.app_bodies import (
    AppBadFormatting,
    AppException,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)
from lamina.apps import (
    AUTO_LOGNAME,
    AppFuture,
    DataFuture,
    bash_app,
    clear,
    dfk,
    join_app,
    load,
    python_app,
)
from lamina.executors import ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.vocabulary import (
    ConfigError,
    File,
    NoDataFlowKernelError,
    TaskWalltime,
    UsageError,
    WaitInsideTaskError,
)
from tests.fakes.executors import HandExecutor

WAIT = 10  # seconds, for a thread of ours


@pytest.fixture(autouse=True)
def kernel(tmp_path: Path) -> Iterator[DataFlowKernel]:
    config = Config(executors=[ThreadPoolExecutor(max_threads=4)], run_dir=tmp_path / "runs")
    with load(config) as made:
        yield made
    clear()


@python_app
def one() -> int:
    return 1


@python_app
def total(inputs: Any = ()) -> int:
    return sum(inputs)


@python_app
def nothing_special(value: int) -> int:
    return value


@bash_app
def shell(line: str, **_: object) -> str:
    return line


def test_inputs_holds_futures_to_wait_for() -> None:
    assert total(inputs=[one(), 2, one()]).result(WAIT) == 4
    assert nothing_special(7, inputs=[one()]).result(WAIT) == 7
    with pytest.raises(UsageError, match="inputs"):
        _ = total(inputs=3)


def test_outputs_are_files_that_the_future_gives_back(tmp_path: Path) -> None:
    file = File(str(tmp_path / "out.txt"))
    future = shell(f"echo written > {file.filepath}", outputs=[file])
    (output,) = future.outputs
    assert isinstance(output, DataFuture)
    assert Path(output.result(WAIT).filepath).read_text() == "written\n"
    with pytest.raises(UsageError, match="must be a File"):
        _ = shell("true", outputs=["out.txt"])


def test_a_missing_output_is_an_error(tmp_path: Path) -> None:
    error = shell("true", outputs=[File(str(tmp_path / "absent"))]).exception(WAIT)
    assert isinstance(error, MissingOutputs)
    assert error.outputs == (str(tmp_path / "absent"),)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_goes_to_a_path_and_is_appended_to(tmp_path: Path, stream: str) -> None:
    path = tmp_path / "below" / "log"
    line = "echo said" if stream == "stdout" else "echo said >&2"
    future = shell(line, **{stream: str(path)})
    assert future.result(WAIT) == 0
    assert getattr(future, stream) == str(path)
    assert shell(line, **{stream: str(path)}).result(WAIT) == 0
    assert path.read_text() == "said\nsaid\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_with_a_mode_or_as_a_file_is_written_anew(tmp_path: Path, stream: str) -> None:
    path = tmp_path / "log"
    line = "echo said" if stream == "stdout" else "echo said >&2"
    for where in ((str(path), "w"), (str(path), "w"), File(str(path))):
        assert shell(line, **{stream: where}).result(WAIT) == 0
        assert path.read_text() == "said\n"


def test_auto_logname_is_a_file_below_the_run_directory(kernel: DataFlowKernel) -> None:
    future = shell("echo said", stdout=AUTO_LOGNAME, stderr=AUTO_LOGNAME)
    assert future.result(WAIT) == 0
    assert isinstance(future.stdout, str)
    assert Path(future.stdout).is_relative_to(kernel.run_dir)
    assert Path(future.stdout).read_text() == "said\n"
    assert future.stdout != future.stderr


def test_std_autopath_makes_the_path_of_auto_logname(tmp_path: Path) -> None:
    def where(task: int, name: str, stream: str) -> str:
        return str(tmp_path / f"{name}.{stream}")

    config = Config(executors=[ThreadPoolExecutor()], run_dir=tmp_path, std_autopath=where)
    with DataFlowKernel(config) as other:
        app = shell.options(data_flow_kernel=other)
        assert app("echo said", stdout=AUTO_LOGNAME).result(WAIT) == 0
    assert (tmp_path / "shell.stdout").read_text() == "said\n"


@pytest.mark.parametrize("wrong", [3, ("path", "r"), ("path",), ""])
def test_a_stream_that_is_none_is_refused_at_the_call(wrong: object) -> None:
    with pytest.raises(BadStdStreamFile, match="stdout"):
        _ = shell("true", stdout=wrong)


def test_a_python_app_on_threads_has_no_streams_of_its_own(tmp_path: Path) -> None:
    error = nothing_special(1, stdout=str(tmp_path / "log")).exception(WAIT)
    assert isinstance(error, BadStdStreamFile)
    assert "HighThroughputExecutor" in str(error)


def test_walltime_ends_a_bash_app_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    line = f"setsid sh -c 'echo $$ > {noted}; exec sleep 100' & wait"
    error = shell(line, walltime=2).exception(WAIT)
    assert isinstance(error, TaskWalltime)
    assert error.stopped
    pid = int(noted.read_text())
    deadline = time.monotonic() + WAIT
    while _runs(pid):
        assert time.monotonic() < deadline
    with pytest.raises(ConfigError, match="walltime"):
        _ = shell("true", walltime="soon")


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_walltime_fails_a_task_on_threads_that_goes_on() -> None:
    gate = threading.Event()
    error = python_app(gate.wait, walltime=0.1)(WAIT).exception(WAIT)
    gate.set()
    assert isinstance(error, TaskWalltime)
    assert not error.stopped


def test_a_resource_specification_is_read_in_its_known_units(tmp_path: Path) -> None:
    hand = HandExecutor()
    with DataFlowKernel(Config(executors=[hand], run_dir=tmp_path)) as other:
        app = nothing_special.options(data_flow_kernel=other)
        future = app(1, parsl_resource_specification={"cores": 2, "running_time_min": 3})
        (task,) = hand.launched
        assert task.resources is not None
        assert (task.resources.cores, task.expected) == (2, 180)
        hand.run_all()
        assert future.result(WAIT) == 1
        with pytest.raises(ConfigError, match="wheels"):
            _ = app(1, parsl_resource_specification={"wheels": 4})


def test_a_priority_in_a_resource_specification_is_refused() -> None:
    with pytest.raises(ConfigError, match="higher means sooner"):
        _ = nothing_special(1, parsl_resource_specification={"priority": 1})


def test_a_keyword_reaches_the_function_only_if_it_declares_it() -> None:
    @python_app
    def declares(walltime: float = 5) -> float:
        return walltime

    assert declares(walltime=7).result(WAIT) == 7
    assert nothing_special(1, walltime=7).result(WAIT) == 1


def test_a_command_that_fails_tells_its_status_and_last_words() -> None:
    error = shell("echo why >&2; exit 3").exception(WAIT)
    assert isinstance(error, BashExitFailure)
    assert error.exitcode == 3
    assert "why" in error.stderr


def test_a_bash_app_must_return_text() -> None:
    assert isinstance(bash_app(lambda: None)().exception(WAIT), BashAppNoReturn)  # type: ignore[arg-type, return-value]


def test_a_command_line_that_cannot_be_put_together_is_told() -> None:
    def third(words: list[str]) -> str:
        return words[2]

    assert isinstance(bash_app(third)([]).exception(WAIT), AppBadFormatting)


def test_errors_of_apps_have_one_root() -> None:
    assert isinstance(shell("exit 1").exception(WAIT), AppException)


def test_without_a_kernel_an_app_says_what_to_do() -> None:
    clear()
    with pytest.raises(NoDataFlowKernelError, match="load"):
        _ = one()
    with pytest.raises(NoDataFlowKernelError):
        dfk()


def test_a_task_that_waits_for_another_is_told() -> None:
    gate = threading.Event()

    @python_app
    def never() -> None:
        assert gate.wait(WAIT)

    pending = never()

    @python_app
    def waits() -> None:
        pending.result()

    error = waits().exception(WAIT)
    gate.set()
    assert isinstance(error, WaitInsideTaskError)
    assert "join_app" in str(error)


def test_a_join_body_that_waits_for_a_task_is_told() -> None:
    gate, ready = threading.Event(), one()
    ready.result(WAIT)

    @python_app
    def held() -> None:
        assert gate.wait(WAIT)

    @join_app
    def looks() -> AppFuture[int]:
        assert ready.result() == 1  # it is done, so nobody waits
        return ready

    @join_app
    def waits() -> AppFuture[None]:
        future = held()
        future.result()
        return future

    assert looks().result(WAIT) == 1
    error = waits().exception(WAIT)
    gate.set()
    assert isinstance(error, WaitInsideTaskError)
    assert "return it" in str(error)
