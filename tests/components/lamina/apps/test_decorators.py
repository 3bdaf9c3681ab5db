import inspect
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import App, bash_app, join_app, python_app
from lamina.kernel import DataFlowKernel
from lamina.vocabulary import ConfigError, UsageError


@python_app
def bare(x: int, *, y: int = 2) -> int:
    """Add."""
    return x + y


@pytest.mark.parametrize("decorator", [python_app, bash_app, join_app])
def test_each_decorator_works_bare_and_called(decorator: Any) -> None:
    def function(x: int) -> str:
        return str(x)

    for app in (decorator(function), decorator()(function), decorator(cache=True)(function)):
        assert isinstance(app, App)
        assert app.__name__ == "function"


def test_an_app_looks_like_its_function() -> None:
    assert bare.__name__ == "bare"
    assert bare.__doc__ == "Add."
    assert str(inspect.signature(bare)) == "(x: int, *, y: int = 2) -> int"
    assert bare.__wrapped__(1) == 3
    assert "bare" in repr(bare)


@pytest.mark.parametrize("thing", [3, int, bare])
def test_only_functions_are_decorated(thing: Any) -> None:
    with pytest.raises(UsageError, match="decorates functions"):
        python_app(thing)


def test_a_mistake_in_an_option_is_found_where_it_is_written() -> None:
    with pytest.raises(ConfigError, match="no option priorty"):
        python_app(priorty=1)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="names z"):
        python_app(bare.__wrapped__, ignore_for_cache=["z"])


def test_what_a_join_app_returns_is_waited_for(kernel: DataFlowKernel) -> None:
    @join_app
    def several(n: int) -> Any:
        return [bare(i) for i in range(n)]

    assert several(3).result(10) == [2, 3, 4]


def test_a_bash_app_runs_the_line_that_its_function_gives(
    kernel: DataFlowKernel, tmp_path: Path
) -> None:
    @bash_app
    def write(word: str, path: Path) -> str:
        return f"echo {word} > {path}"

    assert write("one", tmp_path / "x").result(10) == 0
    assert (tmp_path / "x").read_text() == "one\n"
