import pytest

from lamina.blocks import BlockState
from lamina.blocks.states import BAD, ENDS, TRANSITIONS, WAITING, end_of, said_of
from lamina.providers import JobState, JobStatus

S = BlockState


def test_every_state_has_its_row_and_an_end_leads_nowhere() -> None:
    assert set(TRANSITIONS) == set(S)
    assert {state for state in S if not TRANSITIONS[state]} == ENDS
    assert all(state.over == (state in ENDS) for state in S)
    assert not WAITING & ENDS
    assert BAD < ENDS


def test_no_state_leads_to_itself() -> None:
    assert not [state for state in S if state in TRANSITIONS[state]]


def test_every_state_can_be_reached_from_the_request() -> None:
    reached = {S.REQUESTED}
    while more := {to for state in reached for to in TRANSITIONS[state]} - reached:
        reached |= more
    assert reached == set(S)


def test_only_what_may_have_had_managers_can_lose_them() -> None:
    losing = {state for state in S if S.LOST in TRANSITIONS[state]}
    assert losing == {S.RUNNING, S.SUSPENDED, S.COMPLETING, S.UNKNOWN}


@pytest.mark.parametrize("state", JobState)
def test_every_word_of_a_batch_system_is_understood(state: JobState) -> None:
    assert said_of(JobStatus(state=state)).over == state.terminal


def test_a_job_that_completed_with_a_bad_exit_code_has_failed() -> None:
    assert said_of(JobStatus(state=JobState.COMPLETED, exit_code=1)) is S.FAILED
    assert said_of(JobStatus(state=JobState.COMPLETED, exit_code=0)) is S.COMPLETED


def test_whoever_ends_a_block_is_its_cause_unless_there_is_a_better_one() -> None:
    assert end_of(S.RUNNING, S.REMOVED, ordered=False, lost=False) is S.REMOVED
    assert end_of(S.RUNNING, S.REMOVED, ordered=True, lost=False) is S.CANCELLED
    assert end_of(S.RUNNING, S.FAILED, ordered=True, lost=False) is S.CANCELLED
    assert end_of(S.RUNNING, S.WALLTIME, ordered=True, lost=False) is S.WALLTIME
    assert end_of(S.RUNNING, S.REMOVED, ordered=True, lost=True) is S.LOST
    assert end_of(S.PENDING, S.REMOVED, ordered=True, lost=True) is S.CANCELLED
