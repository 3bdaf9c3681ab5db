from lamina.vocabulary import FINAL_STATES, TaskState


def test_a_state_reads_as_its_known_name() -> None:
    assert str(TaskState.EXEC_DONE) == "exec_done"


def test_final_states_are_those_from_which_nothing_leads() -> None:
    assert {state for state in TaskState if state.final} == FINAL_STATES
    assert not TaskState.RUNNING.final
