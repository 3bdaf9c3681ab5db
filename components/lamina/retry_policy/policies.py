"""The retry policies that need nothing but the failure itself."""

from collections.abc import Sequence

import attrs

from lamina.retry_policy.checks import a_policy, whole
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.protocol import Again, Decision, GiveUp, RetryPolicy, Trouble
from lamina.vocabulary import Cause, Failure, HasStarted, StagingFailed

__all__ = [
    "CRASH_LIMIT",
    "CrashLimit",
    "Default",
    "Never",
    "Retries",
    "default_policy",
    "is_a_try",
    "is_of_the_machinery",
    "poison",
]

CRASH_LIMIT = 3

_NOT_A_TRY = frozenset({Cause.CANCELLED, Cause.DEPENDENCY})


@attrs.frozen
class Never(Composable):
    """Every failure is the task's last."""

    def decide(self, trouble: Trouble) -> Decision:
        """Give up."""
        return GiveUp()


@attrs.frozen
class Retries(Composable):
    """So many new attempts, whatever the failure was, at once and with nothing changed.

    ``count`` is of attempts after the first; 0 is the same as never. A task that was cancelled,
    or whose dependencies failed, is not tried again, nor is one under which ``crash_limit``
    workers have died, however many attempts are left.
    """

    count: int = attrs.field(default=1, validator=whole())
    crash_limit: int = attrs.field(default=CRASH_LIMIT, validator=whole())

    def decide(self, trouble: Trouble) -> Decision:
        """Try again while some are left."""
        if not is_a_try(trouble.failure):
            return GiveUp()
        if verdict := poison(trouble.history, self.crash_limit):
            return GiveUp(verdict)
        tried = sum(map(is_a_try, trouble.history))
        if tried <= self.count:
            return Again()
        return GiveUp(f"it failed {tried} times, and retries={self.count} allows no more")


@attrs.frozen
class Default(Composable):
    """At most once unless asked: what may have run is not run again.

    An attempt that certainly had not started, and failed for no fault of the task's own, is made
    once more for nothing. Everything else is final.
    """

    def decide(self, trouble: Trouble) -> Decision:
        """Try again once where no user code had run."""
        if not _is_free(trouble.failure):
            return GiveUp()
        if sum(_is_free(failure) for failure in trouble.history) > 1:
            return GiveUp("it failed twice before it could start, and only one such try is free")
        return Again()


@attrs.frozen
class CrashLimit(Composable):
    """Another policy, which is not asked any more about a task that kills its workers.

    ``limit`` is of workers that died under the task, on whichever nodes; a death that the
    executor itself caused, for walltime or memory, is none of them.
    """

    policy: RetryPolicy = attrs.field(validator=a_policy)
    limit: int = attrs.field(default=CRASH_LIMIT, validator=whole())

    def decide(self, trouble: Trouble) -> Decision:
        """Give up at the limit; before it, whatever the other policy says."""
        if verdict := poison(trouble.history, self.limit):
            return GiveUp(verdict)
        return self.policy.decide(trouble)


def is_a_try(failure: Failure) -> bool:
    """Whether it can be tried again at all: it was not cancelled, nor did its arguments fail."""
    return failure.cause not in _NOT_A_TRY


def poison(history: Sequence[Failure], limit: int) -> str:
    """Why the task is taken for one that kills its workers, or nothing."""
    crashes = [
        failure
        for failure in history
        if failure.cause is Cause.WORKER_LOST and failure.started is not HasStarted.NO
    ]
    if not crashes or len(crashes) < limit:
        return ""
    killed = "; ".join(_killed(failure) for failure in crashes)
    workers = f"{len(crashes)} workers" if len(crashes) > 1 else "a worker"
    return f"it killed {workers}, and crash_limit={limit} allows no more: {killed}"


def _killed(failure: Failure) -> str:
    block = "" if failure.block is None else f", block {failure.block}"
    if failure.worker is None:
        return str(failure.error)
    return f"worker {failure.worker} on {failure.node}{block} ({failure.error})"


def is_of_the_machinery(failure: Failure) -> bool:
    """Whether the machinery failed, and might not the next time.

    A transfer that says of itself that another will not help is the fault of who asked for it.
    """
    error = failure.error
    hopeless = isinstance(error, StagingFailed) and not getattr(error, "again", True)
    return failure.cause.is_infrastructure and not hopeless


def _is_free(failure: Failure) -> bool:
    return failure.started is HasStarted.NO and is_of_the_machinery(failure)


def default_policy() -> RetryPolicy:
    """The policy of a kernel that was given none."""
    return Default()
