from concurrent.futures import Future
from typing import Any

import pytest

from lamina.kernel.joins import futures_in, results_in


def done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


@pytest.mark.parametrize(
    "value, results",
    [
        (done(1), 1),
        ([done(1), done(2)], [1, 2]),
        ((done(1),), (1,)),
        ({"a": done(1)}, {"a": 1}),
        ([], []),
        ({}, {}),
    ],
)
def test_results_have_the_shape_of_what_was_returned(value: Any, results: Any) -> None:
    assert all(future.done() for future in futures_in(value))
    assert results_in(value) == results


@pytest.mark.parametrize(
    "value, text",
    [(3, "returned int 3"), ([done(1), "x"], r"str 'x' at \[1\]"), ({"a": None}, r"at \['a'\]")],
)
def test_anything_else_is_named(value: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        futures_in(value)
    with pytest.raises(TypeError, match="…"):
        futures_in("x" * 100)
