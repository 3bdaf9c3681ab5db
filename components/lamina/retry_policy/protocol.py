"""What to do about a failed attempt."""

import math
from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeAlias

import attrs

from lamina.vocabulary import Cause, ConfigError, Failure, Resources

__all__ = ["Again", "Attempt", "Decision", "GiveUp", "RetryPolicy", "Trouble"]


@attrs.frozen(kw_only=True)
class Attempt:
    """One failed attempt, and what it had been made with."""

    failure: Failure
    executor: str
    """The label of the executor that it failed on."""
    resources: Resources | None = None
    memory_limit: int | None = None
    """Bytes that it was allowed."""
    walltime: float | None = None
    """Seconds that it was allowed."""
    cost: float = 0.0
    """What the decision about it has charged; 0 before there is one."""
    chance: float = 0.5
    """The number that was drawn for the decision about it."""

    @property
    def duration(self) -> float | None:
        """Seconds for which its code ran, where that is known."""
        began, ended = self.failure.began, self.failure.ended
        return None if began is None or ended is None else max(0.0, ended - began)


def _attempts(trouble: "Trouble") -> tuple[Attempt, ...]:
    """What is known of the attempts where only their failures were given."""
    return tuple(
        Attempt(
            failure=failure,
            executor=trouble.executor,
            resources=trouble.resources,
            memory_limit=trouble.memory_limit,
            walltime=trouble.walltime,
            cost=1.0,
            chance=trouble.chance,
        )
        for failure in trouble.history
    )


@attrs.frozen(kw_only=True)
class Trouble:
    """A failed attempt, with all that a policy may want to know about it.

    Whoever makes one needs to give no more than ``task``, ``failure``, ``history`` and
    ``executor``; the kernel gives everything.
    """

    task: str
    """What the task is called in messages."""
    failure: Failure
    history: Sequence[Failure]
    """Every failed attempt of this task, oldest first; the last one is ``failure``."""
    executor: str
    """The label of the executor that it failed on."""
    resources: Resources | None = None
    """What the failed attempt had asked for; what it used is in ``failure``."""
    chance: float = 0.5
    """A number in [0, 1) drawn for this decision, for policies that need jitter."""
    name: str = ""
    """The name of its app, which its other tasks have too."""
    id: int | None = None
    """The task's number within its kernel."""
    executors: Sequence[str] = ()
    """The labels of all executors that the task was allowed to go to when it was submitted, and
    that honour the resources that it asks for."""
    memory_limit: int | None = None
    """Bytes that the failed attempt was allowed."""
    walltime: float | None = None
    """Seconds that the failed attempt was allowed."""
    attempts: Sequence[Attempt] = attrs.Factory(_attempts, takes_self=True)
    """``history`` again, each with what it had been made with."""

    @property
    def cause(self) -> Cause:
        """What ended the attempt."""
        return self.failure.cause

    @property
    def exception(self) -> BaseException:
        """What the task would end with."""
        return self.failure.error

    @property
    def node(self) -> str | None:
        """The host where it failed, if one is known."""
        return self.failure.node

    @property
    def block(self) -> str | None:
        """The block in which it failed, if there are blocks."""
        return self.failure.block

    @property
    def duration(self) -> float | None:
        """Seconds for which the code of the failed attempt ran, where that is known."""
        return self.attempts[-1].duration

    @property
    def spent(self) -> float:
        """What the decisions about the attempts before this one have charged together."""
        return sum(attempt.cost for attempt in self.attempts[:-1])

    def among(self, attempts: Sequence[Attempt]) -> "Trouble":
        """The same trouble as though the task had failed in these attempts only.

        They are some of its own, in order; the last one becomes the failure.
        """
        last = attempts[-1]
        return attrs.evolve(
            self,
            failure=last.failure,
            history=tuple(attempt.failure for attempt in attempts),
            executor=last.executor,
            resources=last.resources,
            memory_limit=last.memory_limit,
            walltime=last.walltime,
            chance=last.chance,
            attempts=tuple(attempts),
        )


def _not_negative(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        msg = f"a policy said {attribute.name}={value!r}; it must be a number, 0 or more"
        raise ConfigError(msg)


@attrs.frozen(kw_only=True)
class Again:
    """Make a new attempt. What is left None stays as it was.

    Raises:
        ConfigError: A delay or a cost is negative, endless or no number.
    """

    delay: float = attrs.field(default=0, validator=_not_negative)
    """Seconds to wait first."""
    executors: Sequence[str] | None = None
    avoid: Collection[str] = ()
    """Nodes on which it is not to run again."""
    resources: Resources | None = None
    memory_limit: int | None = None
    """Bytes that it may use from now on."""
    walltime: float | None = None
    """Seconds that it may run from now on."""
    cost: float = attrs.field(default=1.0, validator=_not_negative)
    """What it adds to ``Trouble.spent``; nobody else looks at it."""


@attrs.frozen
class GiveUp:
    """Let the task fail. The reason is added to the exception as a note, unless empty."""

    reason: str = ""


Decision: TypeAlias = Again | GiveUp


class RetryPolicy(Protocol):
    """**Protocol:** says what to do about a failed attempt.

    Asked once for each failed attempt, never for a task that was cancelled or whose
    dependencies failed. It keeps no state of its own: everything is in the Trouble, so one
    policy serves any number of tasks and threads, and it may be asked again about an earlier
    attempt. If it raises, the task ends with both errors.
    """

    def decide(self, trouble: Trouble) -> Decision:
        """Make a new attempt, or give up."""
        ...
