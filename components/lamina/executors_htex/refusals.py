"""Tasks of which it is known here already that no block of an executor will ever run them."""

import math
import platform
from typing import Any

from lamina.executors import Outcome, TaskRequest
from lamina.htex_core import block_margin
from lamina.providers import Provider
from lamina.vocabulary import Cause, Failure, HasStarted, ResourcesUnavailable

__all__ = ["refusal", "refused"]


def refusal(task: TaskRequest, provider: Provider) -> str:
    """Why no block of this provider can run a task; empty where one may."""
    walltime: Any = getattr(provider, "walltime", None)
    expected = task.expected
    if expected is not None and not 0 <= expected < math.inf:
        return f"it is expected to take {expected} s, which is no time that a task can take"
    if expected is not None and walltime is not None:
        margin = block_margin(walltime)
        if expected > walltime - margin:
            return (
                f"it is expected to take {expected:g} s, and a block lasts {walltime:g} s, of "
                f"which the last {margin:g} s are for ending; raise the provider's walltime"
            )
    here = platform.node()
    if provider.blocks_are_local and here in task.avoid:
        return (
            f"it is to avoid {here}, and every block of this executor is there; name another "
            "executor for it as well"
        )
    return ""


def refused(task: TaskRequest, why: str) -> Outcome:
    """What becomes of such a task."""
    error = ResourcesUnavailable(f"{task.described} cannot run here: {why}", HasStarted.NO)
    failure = Failure(cause=Cause.RESOURCES, error=error, started=HasStarted.NO)
    return Outcome(task.attempt, failure=failure)
