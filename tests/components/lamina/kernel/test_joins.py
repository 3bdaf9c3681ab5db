from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, NamedTuple

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


class Pair(NamedTuple):
    left: Any
    right: Any


def test_a_container_of_another_type_keeps_it() -> None:
    pair = Pair(done(1), done(2))
    assert results_in(pair) == Pair(1, 2)
    assert type(results_in(pair)) is Pair
    assert type(results_in(OrderedDict(a=done(1)))) is OrderedDict
    assert pair.left.result() == 1, "the caller's own is not changed"


@pytest.mark.parametrize(
    "value, text",
    [(3, "returned int 3"), ([done(1), "x"], r"str 'x' at \[1\]"), ({"a": None}, r"at \['a'\]")],
)
def test_anything_else_is_named(value: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        futures_in(value)
    with pytest.raises(TypeError, match="…"):
        futures_in("x" * 100)
