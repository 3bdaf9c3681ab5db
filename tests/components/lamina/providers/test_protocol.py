import pickle

import pytest

from lamina.providers import (
    TERMINAL_STATES,
    JobState,
    ProviderError,
    ProviderUnavailable,
    SubmitDeferred,
    SubmitRejected,
)


def test_a_refusal_names_the_block_the_command_and_what_was_said() -> None:
    text = str(SubmitRejected("b1", "sbatch", 1, "no such partition\n"))
    assert "'b1'" in text
    assert "sbatch" in text
    assert "no such partition." in text


def test_a_refusal_without_words_says_so() -> None:
    assert "it gave no reason" in str(SubmitRejected("b1", "sbatch", 1, " \n"))


def test_no_answer_is_told_with_its_reason() -> None:
    assert str(ProviderUnavailable("squeue", "timeout")) == "squeue gave no usable answer: timeout"


@pytest.mark.parametrize(
    "error",
    [
        SubmitRejected("b", "c", 1, "d"),
        ProviderUnavailable("squeue", "slow"),
        SubmitDeferred("b", "c", "d"),
    ],
)
def test_errors_survive_pickle(error: ProviderError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_terminal_states_know_that_they_are() -> None:
    assert {state for state in JobState if state.terminal} == TERMINAL_STATES
    assert not JobState.UNKNOWN.terminal
