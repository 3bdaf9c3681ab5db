import pickle

import pytest

from lamina.channels import ChannelError, CommandLost, CommandTimeout


def test_an_error_names_what_failed_and_why() -> None:
    assert str(ChannelError("copying x", "no space")) == "copying x failed: no space"


def test_a_timeout_says_how_long_it_took() -> None:
    error = CommandTimeout("sbatch x", 2.5)
    assert str(error) == "sbatch x failed: it was still running after 2.5 s and was killed"
    assert error.seconds == 2.5


def test_a_lost_command_is_not_said_to_have_failed_to_work() -> None:
    assert "sbatch x failed: the connection broke" in str(CommandLost("sbatch x"))
    assert "it may have done its work" in str(CommandLost("sbatch x"))


@pytest.mark.parametrize(
    "error", [ChannelError("a", "b"), CommandTimeout("a", 1), CommandLost("a")]
)
def test_errors_survive_pickle(error: ChannelError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
