import pickle
from pathlib import Path
from typing import Any

import pytest

from lamina.app_bodies import BadStdStreamFile, BashExitFailure, MissingOutputs
from lamina.apps import AUTO_LOGNAME, DataFuture, bash_app, python_app
from lamina.kernel import DataFlowKernel
from lamina.vocabulary import ConfigError, File, UsageError


@python_app
def declares(x: int, inputs: Any = (), outputs: Any = (), walltime: Any = None) -> Any:
    return x, list(inputs), outputs, walltime


@python_app
def declares_nothing(x: int) -> int:
    return x


@bash_app
def echo(word: str, stdout: Any = None, stderr: Any = "err.txt") -> str:
    return f"echo {word}; echo oh >&2"


@bash_app
def copy(inputs: Any, outputs: Any) -> str:
    return f"cat {' '.join(map(str, inputs))} > {outputs[0]}"


def test_special_keywords_reach_only_a_function_that_declares_them(
    kernel: DataFlowKernel,
) -> None:
    file = File("x")
    given = {"inputs": [1, declares_nothing(2)], "outputs": [file], "walltime": 9}
    assert declares(0, **given).result(10) == (0, [1, 2], [file], 9)
    assert declares_nothing(0, **given).result(10) == 0


def test_inputs_that_are_not_declared_are_dependencies_all_the_same(
    kernel: DataFlowKernel,
) -> None:
    @python_app
    def fails() -> None:
        raise OSError("no")

    assert declares_nothing(0, inputs=[fails()]).exception(10) is not None


def test_a_stream_is_named_for_the_task(kernel: DataFlowKernel) -> None:
    future = echo("hi", stdout=AUTO_LOGNAME, stderr=AUTO_LOGNAME)
    assert future.result(10) == 0
    assert isinstance(future.stdout, str)
    assert isinstance(future.stderr, str)
    path = Path(future.stdout)
    assert path.read_text() == "hi\n"
    assert path.relative_to(kernel.run_dir) == Path(
        f"task_logs/0000/task_{future.tid:04d}_echo.stdout"
    )
    assert Path(future.stderr).read_text() == "oh\n"


def test_special_keywords_by_position_arrive_as_they_were_read(kernel: DataFlowKernel) -> None:
    @python_app(cache=True)
    def by_position(x: int, outputs: Any = (), stdout: Any = None, *more: int) -> Any:
        return x, outputs, stdout, more

    file = File("x")
    future = by_position(1, [DataFuture(declares_nothing(1), file)], AUTO_LOGNAME, 4, 5)
    assert future.result(10) == (1, [file], future.stdout, (4, 5))
    assert Path(future.stdout).is_relative_to(kernel.run_dir)
    first, again = (by_position(2, [], AUTO_LOGNAME).result(10) for _ in range(2))
    assert again == first


def test_a_default_that_is_for_position_only_is_left_to_the_function(
    kernel: DataFlowKernel,
) -> None:
    @python_app
    def by_position(stdout: str = "x", /) -> str:
        return stdout

    assert by_position().result(10) == "x"
    assert by_position("y").result(10) == "y"


def test_a_default_in_the_signature_counts_as_given(
    kernel: DataFlowKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert echo("hi").result(10) == 0
    assert (tmp_path / "err.txt").read_text() == "oh\n"


def test_streams_are_appended_to_unless_a_mode_says_otherwise(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    path = tmp_path / "d" / "out"
    for spec in (path, str(path), (str(path), "a")):
        echo("hi", stdout=spec, stderr=None).result(10)
    assert path.read_text() == "hi\n" * 3
    future = echo("anew", stdout=(path, "w"), stderr=None)
    future.result(10)
    assert path.read_text() == "anew\n"
    assert future.stdout == (str(path), "w")


def test_a_stream_that_is_a_file_is_a_future_of_it(kernel: DataFlowKernel, tmp_path: Path) -> None:
    future = echo("hi", stdout=File(tmp_path / "o"), stderr=None)
    assert isinstance(future.stdout, DataFuture)
    assert Path(future.stdout.result(10)).read_text() == "hi\n"


def test_outputs_of_one_app_are_inputs_of_another(kernel: DataFlowKernel, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    first = copy(inputs=[File(tmp_path / "a")], outputs=[File(tmp_path / "b")])
    second = copy(inputs=[first.outputs[0]] * 2, outputs=[File(tmp_path / "c")])
    assert Path(second.outputs[0].result(10)).read_text() == "one\none\n"
    assert first.outputs[0].tid == first.tid


def test_an_output_that_was_not_written_is_missed(kernel: DataFlowKernel, tmp_path: Path) -> None:
    @bash_app
    def nothing(outputs: Any) -> str:
        return "true"

    future = nothing(outputs=[File(tmp_path / "gone")])
    assert isinstance(future.exception(10), MissingOutputs)
    assert isinstance(future.outputs[0].exception(10), MissingOutputs)


def test_a_bad_exit_is_the_future_s_exception(kernel: DataFlowKernel) -> None:
    @bash_app
    def bad() -> str:
        return "echo oh >&2; exit 3"

    error = bad().exception(10)
    assert isinstance(error, BashExitFailure)
    assert (error.app_name, error.exitcode, error.stderr) == ("bad", 3, "oh")


def test_a_python_app_on_a_thread_cannot_have_streams(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    error = declares_nothing(1, stdout=str(tmp_path / "x")).exception(10)
    assert isinstance(error, BadStdStreamFile)


@pytest.mark.parametrize(
    "given,error",
    [
        ({"inputs": 3}, UsageError),
        ({"inputs": "abc"}, UsageError),
        ({"outputs": "abc"}, UsageError),
        ({"outputs": ["abc"]}, UsageError),
        ({"walltime": "soon"}, ConfigError),
        ({"walltime": []}, ConfigError),
        ({"stdout": 3}, BadStdStreamFile),
        ({"stderr": ["a", "w"]}, BadStdStreamFile),
        ({"parsl_resource_specification": {"kores": 1}}, ConfigError),
    ],
    ids=str,
)
def test_a_bad_value_is_an_error_at_the_call(
    kernel: DataFlowKernel, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        declares_nothing(1, **given)


def test_a_stream_cannot_be_a_future(kernel: DataFlowKernel) -> None:
    with pytest.raises(BadStdStreamFile, match="future"):
        echo("x", stdout=declares_nothing(1))


def test_the_automatic_name_is_one_object_in_every_process() -> None:
    assert pickle.loads(pickle.dumps(AUTO_LOGNAME)) is AUTO_LOGNAME
    assert repr(AUTO_LOGNAME) == "AUTO_LOGNAME"
