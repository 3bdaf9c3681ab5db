"""What a pod's status, as JSON has it, means for a block, with the reason in a sentence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lamina.providers import JobState, JobStatus
from lamina.vocabulary import exit_in_words

__all__ = ["cannot_start", "of_block", "of_pod"]

_TARDY = timedelta(seconds=60)  # beyond its grace, a pod that is still there is on a lost node

_REASONS = {
    "DeadlineExceeded": (JobState.TIMEOUT, "it reached its walltime"),
    "Evicted": (JobState.PREEMPTED, "its node has evicted it"),
    "NodeAffinity": (JobState.FAILED, "its node does not take such pods"),
    "NodeLost": (JobState.NODE_FAIL, "its node is lost"),
    "NodeShutdown": (JobState.NODE_FAIL, "its node is being shut down"),
    "Preempting": (JobState.PREEMPTED, "a more important pod has taken its place"),
    "Shutdown": (JobState.NODE_FAIL, "its node is being shut down"),
    "Terminated": (JobState.NODE_FAIL, "its node is being shut down"),
    "UnexpectedAdmissionError": (JobState.FAILED, "its node did not admit it"),
}
_DISRUPTIONS = {
    "DeletionByPodGC": (JobState.NODE_FAIL, "its node is no longer there"),
    "DeletionByTaintManager": (JobState.NODE_FAIL, "its node no longer takes pods"),
    "EvictionByEvictionAPI": (JobState.PREEMPTED, "an operator has evicted it"),
    "PreemptionByScheduler": (JobState.PREEMPTED, "a more important pod has taken its place"),
    "TerminationByKubelet": (JobState.PREEMPTED, "its node has evicted it"),
}
_CANNOT_START = {
    "CreateContainerConfigError": "its container cannot be configured",
    "CreateContainerError": "its container cannot be made",
    "ErrImageNeverPull": "its image is not on the node, and may not be pulled",
    "ErrImagePull": "its image cannot be pulled",
    "ImageInspectError": "its image cannot be read",
    "ImagePullBackOff": "its image cannot be pulled",
    "InvalidImageName": "its image has a name that means nothing",
    "RegistryUnavailable": "the registry of its image does not answer",
    "RunContainerError": "its container cannot be started",
}


def of_pod(pod: Mapping[str, Any], now: datetime, *, cancelled: bool = False) -> JobStatus:
    """Where a block of one pod stands. ``cancelled`` is whether this program has ended it."""
    status = pod.get("status", {})
    phase = status.get("phase", "")
    if phase in ("Succeeded", "Failed"):
        return _ended(pod, failed=phase == "Failed", cancelled=cancelled)
    deleted = pod["metadata"].get("deletionTimestamp")
    if deleted is not None:
        return _going(pod, now - _moment(deleted))
    if phase == "Pending":
        return JobStatus(state=JobState.PENDING, reason=_waits_for(status))
    if phase == "Running":
        return JobStatus(state=JobState.RUNNING)
    if phase == "Unknown":
        reason = "the cluster has lost touch with its node"
        return JobStatus(state=JobState.UNKNOWN, reason=reason)
    return JobStatus(state=JobState.UNKNOWN, reason=f"its phase is {phase!r}")


def cannot_start(pod: Mapping[str, Any]) -> str:
    """Why a pod that has a node does not start, though it tries; empty where nothing is wrong."""
    if pod.get("status", {}).get("phase") != "Pending":
        return ""
    for container in pod["status"].get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting") or {}
        if (reason := waiting.get("reason")) in _CANNOT_START:
            return _with(f"{_CANNOT_START[reason]} ({reason})", waiting.get("message"))
    return ""


def of_block(pods: Sequence[JobStatus]) -> JobStatus:
    """Where a block stands whose pods stand so; it goes on while one of them does."""
    if len(pods) == 1:
        return pods[0]
    ended = [one for one in pods if one.state.terminal]
    going = [one for one in pods if not one.state.terminal]
    bad = [one for one in ended if one.state is not JobState.COMPLETED]
    if not going:
        return bad[0] if bad else ended[0]
    order = (JobState.RUNNING, JobState.COMPLETING, JobState.UNKNOWN, JobState.PENDING)
    first = min(going, key=lambda one: order.index(one.state))
    if not bad:
        return first
    reason = f"{len(bad)} of its {len(pods)} pods have ended: {bad[0].reason}"
    return JobStatus(state=first.state, reason=reason)


def _ended(pod: Mapping[str, Any], *, failed: bool, cancelled: bool) -> JobStatus:
    status = pod["status"]
    end = _container_end(status)
    code: int | None = end.get("exitCode")
    if not failed:
        return JobStatus(state=JobState.COMPLETED, reason=exit_in_words(0), exit_code=0)
    for word, known in ((status.get("reason"), _REASONS), (_disruption(status), _DISRUPTIONS)):
        if word in known:
            state, reason = known[word]
            return JobStatus(state=state, reason=_with(reason, status.get("message")))
    if cancelled:
        reason = "it was cancelled by this program"
        return JobStatus(state=JobState.CANCELLED, reason=reason, exit_code=code)
    if end.get("reason") == "OOMKilled":
        reason = "it used more memory than its limit, max_mem, and was killed"
        return JobStatus(state=JobState.OUT_OF_MEMORY, reason=reason, exit_code=code)
    if code is not None:
        reason = _with(exit_in_words(code), end.get("message"))
        return JobStatus(state=JobState.FAILED, reason=reason, exit_code=code)
    why = status.get("reason") or "the cluster gives no reason"
    return JobStatus(
        state=JobState.FAILED, reason=_with(f"it failed ({why})", status.get("message"))
    )


def _going(pod: Mapping[str, Any], late: timedelta) -> JobStatus:
    """A pod that is to be removed. Where nobody removes it, its node is lost."""
    word = _disruption(pod.get("status", {}))
    if late > _TARDY:
        reason = (
            f"it was to be removed {late.total_seconds():.0f} s ago and is still there: "
            f"node {pod.get('spec', {}).get('nodeName')} does not answer"
        )
        return JobStatus(state=JobState.NODE_FAIL, reason=reason)
    reason = _DISRUPTIONS[word][1] if word in _DISRUPTIONS else "it is being removed"
    return JobStatus(state=JobState.COMPLETING, reason=reason)


def _waits_for(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            if condition.get("reason") == "Unschedulable":
                return _with("no node has room for it", condition.get("message"))
            return _with("it is not scheduled yet", condition.get("message"))
    if reason := cannot_start({"status": status}):
        return reason
    for container in status.get("containerStatuses", ()):
        if container.get("state", {}).get("waiting"):
            return "its container is being made"
    return "it waits for a node"


def _container_end(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in status.get("containerStatuses", ()):
        end: Mapping[str, Any] | None = container.get("state", {}).get("terminated")
        if end:
            return end
    return {}


def _disruption(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions", ()):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return str(condition.get("reason", ""))
    return ""


def _with(reason: str, message: str | None) -> str:
    return f"{reason}: {message.strip()}" if message and message.strip() else reason


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
