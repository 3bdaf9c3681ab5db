from concurrent.futures import Future
from typing import Any

import pytest

from lamina.dependencies import DeepResolver, ShallowResolver
from lamina.kernel.arguments import gather, unwrap
from lamina.vocabulary import FutureInArgumentsError


def done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_each_future_is_found_once_in_the_order_of_the_arguments() -> None:
    one, two = done(1), done(2)
    assert gather(ShallowResolver(), "f", (one, 5), {"inputs": [two, one, 1]}) == [one, two]


def test_results_take_the_place_of_futures_in_new_containers() -> None:
    inputs = (done(1), "x")
    args, kwargs = unwrap(ShallowResolver(), (done(0), 7), {"inputs": inputs, "k": 3})
    assert args == (0, 7)
    assert kwargs == {"inputs": (1, "x"), "k": 3}
    assert unwrap(ShallowResolver(), (), {"inputs": [done(1)]})[1] == {"inputs": [1]}


@pytest.mark.parametrize(
    "args, kwargs, path",
    [
        (({"x": [0, 1, done(1)]},), {}, "args[0]['x'][2]"),
        ((), {"k": [done(1)]}, "kwargs['k'][0]"),
        ((), {"inputs": [[done(1)]]}, "inputs[0][0]"),
    ],
)
def test_a_hidden_future_is_refused_with_its_path(args: Any, kwargs: Any, path: str) -> None:
    with pytest.raises(FutureInArgumentsError) as caught:
        gather(ShallowResolver(), "f", args, kwargs)
    assert caught.value.path == path
    assert len(gather(DeepResolver(), "f", args, kwargs)) == 1
