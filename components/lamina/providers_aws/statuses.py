"""What EC2 says of instances, and what that means for a block."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.providers import JobState, JobStatus
from lamina.providers_aws.requests import EXIT_WORD
from lamina.vocabulary import exit_in_words

__all__ = ["exit_on_console", "has_ended", "of_block", "of_instance"]

_GOING = {
    "pending": (JobState.PENDING, "its machine is being started"),
    "running": (JobState.RUNNING, ""),
    "shutting-down": (JobState.COMPLETING, "its machine is being shut down"),
    "stopping": (JobState.COMPLETING, "its machine is being stopped"),
}
_ENDED = ("terminated", "stopped")
_BY_ITSELF = "Client.InstanceInitiatedShutdown"
_REASONS = {
    "Client.InternalError": (JobState.FAILED, "its machine could not start"),
    "Client.UserInitiatedHibernate": (JobState.CANCELLED, "somebody has put its machine to sleep"),
    "Client.UserInitiatedShutdown": (JobState.CANCELLED, "somebody has shut its machine down"),
    "Client.VolumeLimitExceeded": (JobState.FAILED, "the account may have no more volumes"),
    "Server.InsufficientInstanceCapacity": (JobState.FAILED, "Amazon has no such machine free"),
    "Server.InternalError": (JobState.NODE_FAIL, "Amazon had a fault while it started"),
    "Server.ScheduledStop": (JobState.NODE_FAIL, "Amazon has retired its machine"),
    "Server.SpotInstanceShutdown": (JobState.PREEMPTED, "Amazon wanted its spot machine back"),
    "Server.SpotInstanceTermination": (JobState.PREEMPTED, "Amazon wanted its spot machine back"),
}


def has_ended(instance: Mapping[str, Any]) -> bool:
    """Whether this machine will never run again."""
    return instance["State"]["Name"] in _ENDED


def exit_on_console(text: str, name: str) -> int | None:
    """The exit status that the script of a block has left on its machine's console."""
    found = re.findall(rf"{EXIT_WORD} {re.escape(name)} (\d+)", text)
    return int(found[-1]) if found else None


def of_instance(
    instance: Mapping[str, Any], *, exit_code: int | None, cancelled: bool
) -> JobStatus:
    """Where a block of one machine stands; ``cancelled`` is whether this program has ended it."""
    word = instance["State"]["Name"]
    if word in _GOING:
        state, reason = _GOING[word]
        return JobStatus(state=state, reason=reason)
    if word not in _ENDED:
        return JobStatus(state=JobState.UNKNOWN, reason=f"EC2 says {word!r}")
    why = instance.get("StateReason", {})
    code = why.get("Code", "")
    if cancelled:
        reason = "it was cancelled by this program"
        return JobStatus(state=JobState.CANCELLED, reason=reason, exit_code=exit_code)
    if exit_code is not None and code == _BY_ITSELF:
        state = JobState.COMPLETED if exit_code == 0 else JobState.FAILED
        return JobStatus(state=state, reason=exit_in_words(exit_code), exit_code=exit_code)
    if code in _REASONS:
        state, reason = _REASONS[code]
        return JobStatus(state=state, reason=f"{reason} ({code})")
    if code == _BY_ITSELF:
        reason = "its machine has shut itself down, and its console does not say with which status"
        return JobStatus(state=JobState.GONE, reason=reason)
    said = why.get("Message") or code or "EC2 gives no reason"
    return JobStatus(state=JobState.FAILED, reason=f"its machine has ended: {said}")


def of_block(machines: Sequence[JobStatus]) -> JobStatus:
    """Where a block stands whose machines stand so; it goes on while one of them does."""
    going = [one for one in machines if not one.state.terminal]
    if going:
        order = (JobState.RUNNING, JobState.PENDING, JobState.COMPLETING, JobState.UNKNOWN)
        return min(going, key=lambda one: order.index(one.state))
    bad = [one for one in machines if one.state is not JobState.COMPLETED]
    return bad[0] if bad else machines[0]
