from typing import Any

import pytest

from lamina.providers import JobState, JobStatus
from lamina.providers_aws.statuses import exit_on_console, has_ended, of_block, of_instance

BY_ITSELF = "Client.InstanceInitiatedShutdown"


def instance(state: str, code: str = "", message: str = "") -> dict[str, Any]:
    return {"State": {"Name": state}, "StateReason": {"Code": code, "Message": message}}


@pytest.mark.parametrize(
    "found, exit_code, state",
    [
        (instance("pending"), None, JobState.PENDING),
        (instance("running"), None, JobState.RUNNING),
        (instance("shutting-down"), None, JobState.COMPLETING),
        (instance("stopping"), None, JobState.COMPLETING),
        (instance("odd"), None, JobState.UNKNOWN),
        (instance("terminated", BY_ITSELF), 0, JobState.COMPLETED),
        (instance("terminated", BY_ITSELF), 3, JobState.FAILED),
        (instance("terminated", BY_ITSELF), None, JobState.GONE),
        (instance("terminated", "Client.UserInitiatedShutdown"), None, JobState.CANCELLED),
        (instance("terminated", "Server.SpotInstanceTermination"), 143, JobState.PREEMPTED),
        (instance("terminated", "Server.InsufficientInstanceCapacity"), None, JobState.FAILED),
        (instance("stopped", "Server.ScheduledStop"), None, JobState.NODE_FAIL),
    ],
)
def test_each_state_has_its_meaning(
    found: dict[str, Any], exit_code: int | None, state: JobState
) -> None:
    status = of_instance(found, exit_code=exit_code, cancelled=False)
    assert status.state is state
    assert status.reason or state is JobState.RUNNING
    assert has_ended(found) is state.terminal


def test_a_reason_that_nobody_knows_is_quoted() -> None:
    found = instance("terminated", "Server.New", "Server.New: something else")
    status = of_instance(found, exit_code=None, cancelled=False)
    assert status.reason == "its machine has ended: Server.New: something else"
    bare = of_instance({"State": {"Name": "terminated"}}, exit_code=None, cancelled=False)
    assert bare.reason == "its machine has ended: EC2 gives no reason"


def test_what_this_program_ended_was_cancelled() -> None:
    found = instance("terminated", "Client.UserInitiatedShutdown")
    status = of_instance(found, exit_code=None, cancelled=True)
    assert status.reason == "it was cancelled by this program"


def test_the_last_word_on_the_console_is_the_one_that_counts() -> None:
    text = "boot\nlamina-exit it 1\n[ 12.3] lamina-exit it 3\nlamina-exit other 4\n"
    assert exit_on_console(text, "it") == 3
    assert exit_on_console("boot", "it") is None


def test_a_block_goes_on_while_one_of_its_machines_does() -> None:
    running = JobStatus(state=JobState.RUNNING)
    pending = JobStatus(state=JobState.PENDING)
    well = JobStatus(state=JobState.COMPLETED)
    bad = JobStatus(state=JobState.FAILED)
    assert of_block([pending, running]) is running
    assert of_block([bad, pending]) is pending
    assert of_block([well, bad]) is bad
    assert of_block([well, well]) is well
