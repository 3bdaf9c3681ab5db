import pickle

import pytest

from lamina.app_bodies import (
    AppBadFormatting,
    AppException,
    BadStdStreamFile,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)

EACH = [
    AppException("why"),
    BadStdStreamFile("stdout", "is wrong"),
    BashAppNoReturn("a", "nothing"),
    AppBadFormatting("a", "KeyError: 'x'"),
    BashExitFailure("a", 3, "no such file"),
    BashExitFailure("a", -9),
    MissingOutputs("a", ["x", "y"]),
]


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_each_error_survives_pickle(error: AppException) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_exit_failure_shows_the_code_and_the_last_lines() -> None:
    assert "exit status 3" in str(BashExitFailure("a", 3, "no such file"))
    assert "no such file" in str(BashExitFailure("a", 3, "no such file"))
    assert "SIGKILL" in str(BashExitFailure("a", -9))
