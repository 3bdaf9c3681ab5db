"""The retry policies that need nothing but the failure itself."""

from typing import Any

import attrs

from lamina.retry_policy.protocol import Again, Decision, GiveUp, RetryPolicy, Trouble
from lamina.vocabulary import Cause, ConfigError, Failure, HasStarted

__all__ = ["Default", "Never", "Retries", "default_policy"]

_NOT_A_TRY = frozenset({Cause.CANCELLED, Cause.DEPENDENCY})


@attrs.frozen
class Never:
    """Every failure is the task's last."""

    def decide(self, trouble: Trouble) -> Decision:
        """Give up."""
        return GiveUp()


def _count(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{attribute.name} is {value!r}; it must be a whole number, 0 or more"
        raise ConfigError(msg)


@attrs.frozen
class Retries:
    """So many new attempts, whatever the failure was, at once and with nothing changed.

    ``count`` is of attempts after the first; 0 is the same as never. A task that was cancelled,
    or whose dependencies failed, is not tried again.
    """

    count: int = attrs.field(default=1, validator=_count)

    def decide(self, trouble: Trouble) -> Decision:
        """Try again while some are left."""
        if trouble.failure.cause in _NOT_A_TRY:
            return GiveUp()
        tried = sum(failure.cause not in _NOT_A_TRY for failure in trouble.history)
        if tried <= self.count:
            return Again()
        return GiveUp(f"it failed {tried} times, and retries={self.count} allows no more")


@attrs.frozen
class Default:
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


def _is_free(failure: Failure) -> bool:
    return failure.started is HasStarted.NO and failure.cause.is_infrastructure


def default_policy() -> RetryPolicy:
    """The policy of a kernel that was given none."""
    return Default()
