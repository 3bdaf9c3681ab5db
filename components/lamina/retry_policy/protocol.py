"""What to do about a failed attempt."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeAlias

import attrs

from lamina.vocabulary import Failure, Resources

__all__ = ["Again", "Decision", "GiveUp", "RetryPolicy", "Trouble"]


@attrs.frozen(kw_only=True)
class Trouble:
    """A failed attempt, with all that a policy may want to know about it."""

    task: str
    """What the task is called."""
    failure: Failure
    history: Sequence[Failure]
    """Every failed attempt of this task, oldest first; the last one is ``failure``."""
    executor: str
    """The label of the executor that it failed on."""
    resources: Resources | None = None
    chance: float = 0.5
    """A number in [0, 1) drawn for this decision, for policies that need jitter."""


@attrs.frozen(kw_only=True)
class Again:
    """Make a new attempt. What is left None stays as it was."""

    delay: float = 0
    """Seconds to wait first."""
    executors: Sequence[str] | None = None
    avoid: Collection[str] = ()
    """Nodes on which it is not to run again."""
    resources: Resources | None = None


@attrs.frozen
class GiveUp:
    """Let the task fail. The reason is added to the exception as a note, unless empty."""

    reason: str = ""


Decision: TypeAlias = Again | GiveUp


class RetryPolicy(Protocol):
    """**Protocol:** says what to do about a failed attempt.

    Asked once for each failed attempt, never for a task that was cancelled or whose
    dependencies failed. It keeps no state of its own: everything is in the Trouble, so one
    policy serves any number of tasks and threads. If it raises, the task ends with both errors.
    """

    def decide(self, trouble: Trouble) -> Decision:
        """Make a new attempt, or give up."""
        ...
