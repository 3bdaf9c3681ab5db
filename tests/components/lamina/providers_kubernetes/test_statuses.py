from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lamina.providers import JobState, JobStatus
from lamina.providers_kubernetes.statuses import cannot_start, of_block, of_pod

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


def pod(phase: str, *, deleted: str | None = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": "p"} if deleted is None else {"name": "p", "deletionTimestamp": deleted}
    return {"metadata": metadata, "spec": {"nodeName": "n1"}, "status": {"phase": phase, **status}}


def ended(code: int, reason: str = "Error") -> list[dict[str, Any]]:
    return [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]


def disrupted(reason: str) -> list[dict[str, Any]]:
    return [{"type": "DisruptionTarget", "status": "True", "reason": reason}]


@pytest.mark.parametrize(
    "found, state, says",
    [
        (pod("Pending"), JobState.PENDING, "it waits for a node"),
        (pod("Running"), JobState.RUNNING, ""),
        (pod("Unknown"), JobState.UNKNOWN, "the cluster has lost touch with its node"),
        (pod("Odd"), JobState.UNKNOWN, "its phase is 'Odd'"),
        (pod("Succeeded"), JobState.COMPLETED, "exit status 0"),
        (pod("Failed", containerStatuses=ended(3)), JobState.FAILED, "exit status 3"),
        (
            pod("Failed", containerStatuses=ended(137, "OOMKilled")),
            JobState.OUT_OF_MEMORY,
            "it used more memory than its limit, max_mem, and was killed",
        ),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory. "),
            JobState.PREEMPTED,
            "its node has evicted it: The node was low on resource: memory.",
        ),
        (
            pod("Failed", reason="DeadlineExceeded", containerStatuses=ended(143)),
            JobState.TIMEOUT,
            "it reached its walltime",
        ),
        (
            pod("Failed", reason="NodeShutdown"),
            JobState.NODE_FAIL,
            "its node is being shut down",
        ),
        (
            pod("Failed", conditions=disrupted("PreemptionByScheduler")),
            JobState.PREEMPTED,
            "a more important pod has taken its place",
        ),
        (
            pod("Failed", conditions=disrupted("DeletionByTaintManager")),
            JobState.NODE_FAIL,
            "its node no longer takes pods",
        ),
        (
            pod("Failed", reason="OutOfcpu", message="Node did not have enough"),
            JobState.FAILED,
            "it failed (OutOfcpu): Node did not have enough",
        ),
        (pod("Failed"), JobState.FAILED, "it failed (the cluster gives no reason)"),
    ],
)
def test_each_end_has_a_state_and_a_sentence(
    found: dict[str, Any], state: JobState, says: str
) -> None:
    status = of_pod(found, NOW)
    assert (status.state, status.reason) == (state, says)


def test_what_this_program_removed_was_cancelled() -> None:
    status = of_pod(pod("Failed", containerStatuses=ended(143)), NOW, cancelled=True)
    assert (status.state, status.exit_code) == (JobState.CANCELLED, 143)


def test_a_pod_that_should_be_gone_and_is_not_is_on_a_lost_node() -> None:
    going = pod("Running", deleted="2030-01-01T11:59:30Z")
    assert of_pod(going, NOW).state is JobState.COMPLETING
    late = of_pod(going, NOW + timedelta(minutes=2))
    assert late.state is JobState.NODE_FAIL
    assert "node n1 does not answer" in late.reason
    conditions = disrupted("EvictionByEvictionAPI")
    evicted = pod("Running", deleted="2030-01-01T12:00:30Z", conditions=conditions)
    assert of_pod(evicted, NOW).reason == "an operator has evicted it"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_a_pod_that_cannot_start_says_why(reason: str) -> None:
    waiting = [{"state": {"waiting": {"reason": reason, "message": "not found"}}}]
    found = pod("Pending", containerStatuses=waiting)
    assert cannot_start(found).endswith(f"({reason}): not found")
    assert of_pod(found, NOW) == JobStatus(state=JobState.PENDING, reason=cannot_start(found))


def test_a_pod_that_is_being_made_is_well() -> None:
    waiting = [{"state": {"waiting": {"reason": "ContainerCreating"}}}]
    found = pod("Pending", containerStatuses=waiting)
    assert cannot_start(found) == ""
    assert of_pod(found, NOW).reason == "its container is being made"
    assert cannot_start(pod("Running")) == ""


def test_a_pod_without_room_waits_and_says_for_what() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}
    for reason, says in (("Unschedulable", "no node has room for it"), ("Gated", "not scheduled")):
        found = pod("Pending", conditions=[{**condition, "reason": reason}])
        assert says in of_pod(found, NOW).reason
        assert of_pod(found, NOW).reason.endswith(": 0/3 nodes")


def test_a_block_goes_on_while_one_of_its_pods_does() -> None:
    running, waits = JobStatus(state=JobState.RUNNING), JobStatus(state=JobState.PENDING)
    well = JobStatus(state=JobState.COMPLETED, exit_code=0)
    bad = JobStatus(state=JobState.FAILED, reason="exit status 3", exit_code=3)
    assert of_block([bad]) is bad
    assert of_block([waits, running]) is running
    assert of_block([well, running]) is running
    assert of_block([bad, running]).reason == "1 of its 2 pods have ended: exit status 3"
    assert of_block([well, bad]) is bad
    assert of_block([well, well]) is well
