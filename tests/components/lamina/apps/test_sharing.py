import pickle

import pytest

from lamina.apps import python_app, share
from lamina.kernel import DataFlowKernel
from lamina.vocabulary import SerializationError

PATIENCE = 30.0  # seconds


@python_app
def total(numbers: list[int], more: dict[str, list[int]]) -> int:
    return sum(numbers) + sum(more["there"])


def test_a_task_is_given_the_object_wherever_its_handle_stands(kernel: DataFlowKernel) -> None:
    handle = share([1, 2, 3])
    future = total(handle, {"there": handle})
    assert future.result(PATIENCE) == 12


def test_what_only_this_program_knows_can_be_shared() -> None:
    class Own:
        size = 3

    assert pickle.loads(pickle.dumps(share(Own()))).size == 3


def test_what_cannot_be_pickled_is_refused_at_once() -> None:
    with pytest.raises(SerializationError, match="cannot be pickled"):
        share(each for each in ())
