import pickle

import pytest

from lamina.vocabulary import (
    ConfigError,
    FutureInArgumentsError,
    KernelClosedError,
    LaminaError,
    NoDataFlowKernelError,
    WaitInsideTaskError,
)

CASES = [
    (ConfigError("x is 3"), "x is 3"),
    (NoDataFlowKernelError("inc"), "no kernel is loaded to run inc"),
    (KernelClosedError("inc"), "inc cannot be submitted"),
    (FutureInArgumentsError("inc", "args[0][1]", "shallow"), "args[0][1]"),
    (WaitInsideTaskError("inc"), "a task waits for inc"),
]


@pytest.mark.parametrize("error, says", CASES)
def test_each_error_says_what_is_wrong_and_survives_pickle(error: LaminaError, says: str) -> None:
    assert says in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
