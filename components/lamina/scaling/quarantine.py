"""When a node is set aside because the tasks that it is given fail."""

import math
from typing import Any

import attrs

from lamina.vocabulary import Cause, ConfigError

__all__ = ["BLAMED", "Quarantine", "SetAside", "surprise"]

BLAMED = frozenset(
    {
        Cause.APPLICATION,
        Cause.SERIALIZATION,
        Cause.WORKER_LOST,
        Cause.OUT_OF_MEMORY,
        Cause.TASK_WALLTIME,
        Cause.STAGING,
    }
)
"""The failures for which a node may be to blame. A node that is lost is gone by itself."""


def _number(least: float, most: float = math.inf) -> Any:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not right or not least <= value <= most or value == math.inf:
            bounds = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
            msg = f"{attribute.name} is {value!r:.100}; it must be a number, {bounds}"
            raise ConfigError(msg)

    return check


def _whole(least: int) -> Any:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if type(value) is not int or value < least:
            msg = f"{attribute.name} is {value!r:.100}; it must be a whole number, {least} or more"
            raise ConfigError(msg)

    return check


@attrs.frozen(kw_only=True)
class Quarantine:
    """How much worse than all others a node must be before it gets no more tasks.

    Only failures of apps that succeed elsewhere count, and only against successes of tasks that
    began after the node's first failure: what fails everywhere is the fault of no node.
    """

    least: int = attrs.field(default=5, validator=_whole(1))
    """So many tasks must have failed on it."""
    rate: float = attrs.field(default=0.5, validator=_number(0.01, 1.0))
    """The share of its tasks that must have failed."""
    times: float = attrs.field(default=3.0, validator=_number(1.0))
    """How many times larger that share must be than elsewhere."""
    evidence: int = attrs.field(default=3, validator=_whole(1))
    """So many tasks of the same app must have succeeded elsewhere meanwhile."""
    window: float = attrs.field(default=600.0, validator=_number(1.0))
    """Seconds without a failure after which a node has a clean record again."""
    limit: int = attrs.field(default=10, validator=_whole(0))
    """At most so many nodes are set aside within an hour; beyond that something else is wrong.
    0 sets none aside."""


@attrs.frozen(kw_only=True)
class SetAside:
    """A node that is to have no more tasks, and what speaks against it."""

    place: str
    """The manager there."""
    node: str
    failed: int
    """How many tasks have failed on it since the first of these failures."""
    ran: int
    """Of so many."""
    failed_elsewhere: int
    """How many tasks of the same apps have failed elsewhere meanwhile."""
    ran_elsewhere: int
    """Of so many."""
    apps: tuple[str, ...]
    over_limit: bool = False
    """Whether it is only spoken of, because too many have been set aside already."""

    @property
    def evidence(self) -> str:
        """The rates, in words."""
        apps = ", ".join(repr(app) for app in self.apps[:3])
        more = f" and {len(self.apps) - 3} more" if len(self.apps) > 3 else ""
        return (
            f"{self.failed} of the last {self.ran} tasks of {apps}{more} failed there, and "
            f"{self.failed_elsewhere} of {self.ran_elsewhere} elsewhere"
        )


def surprise(failed: int, ran: int, expected: float) -> float:
    """How unlikely it is that so many fail by chance where a share of ``expected`` should.

    It is the exponent of Chernoff's bound: the chance is at most e to the power of its negative.
    It is 0 where no more failed than expected.
    """
    share = failed / ran
    if share <= expected:
        return 0.0
    found = share * math.log(share / expected)
    if share < 1:
        found += (1 - share) * math.log((1 - share) / (1 - expected))
    return ran * found
