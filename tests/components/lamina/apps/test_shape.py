import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from lamina.apps.shape import Shape
from lamina.vocabulary import UsageError


def plain(a: int, b: int = 1) -> None: ...
def late(a: int, *, b: int) -> None: ...
def any_number(*args: int) -> None: ...
def special(a: int, inputs: tuple[int, ...] = (), stdout: str | None = None) -> None: ...


@pytest.mark.parametrize(
    "function,args,kwargs",
    [(plain, (1,), {}), (plain, (1, 2), {}), (plain, (), {"a": 1}), (late, (1,), {"b": 1}),
     (any_number, range(50), {})],
)  # fmt: skip
def test_a_call_that_fits_passes(
    function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> None:
    Shape(function, "f").check(tuple(args), kwargs)


@pytest.mark.parametrize(
    "function,args,kwargs",
    [(plain, (), {}), (plain, (1, 2, 3), {}), (plain, (1,), {"c": 1}), (late, (1,), {})],
)
def test_a_call_that_does_not_fit_is_refused_by_name(
    function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"^f\(\) "):
        Shape(function, "f").check(args, kwargs)


def test_special_keywords_that_are_declared_are_known_with_their_defaults() -> None:
    shape = Shape(special, "f")
    assert shape.declared == {"inputs", "stdout"}
    assert shape.defaults == {"inputs": ()}
    assert shape.at_position((1, (2,))) == {"inputs": (2,)}
    assert shape.placed((1, (2,)), {"inputs": [3]}) == (1, [3])


def test_a_function_that_does_not_say_what_it_takes_takes_anything() -> None:
    silent = functools.partial(max)  # written in C, as max is
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(silent)
    shape = Shape(silent, "f")
    shape.check((1, 2), {"key": abs})
    assert shape.open
    assert not shape.declared
    assert shape.at_position((1,)) == {}


def test_a_callable_that_lies_about_its_parameters_is_refused() -> None:
    with pytest.raises(UsageError, match="parameters"):
        Shape(type("X", (), {"__signature__": 3, "__call__": None})(), "f")
