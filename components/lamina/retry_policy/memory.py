"""More memory for a task that ran out of it."""

from typing import Any

import attrs

from lamina.retry_policy.checks import number
from lamina.retry_policy.composition import Composable
from lamina.retry_policy.protocol import Again, Decision, GiveUp, Trouble
from lamina.vocabulary import Cause, ConfigError, read_bytes

__all__ = ["MoreMemory"]

_LEAST_FACTOR = 1.1  # below it a task would be tried again and again for next to nothing


def _bytes(value: float | str) -> int:
    return read_bytes(value, what="limit")


def _some(_: object, attribute: "attrs.Attribute[Any]", value: int) -> None:
    if value < 1:
        msg = f'{attribute.name} is {value!r}; write the most that a node can give, as "64 GiB"'
        raise ConfigError(msg)


@attrs.frozen
class MoreMemory(Composable):
    """A new attempt with twice the memory for a task that ran out of it, up to a limit.

    What it had been allowed, or what it was seen to use if that was more, is multiplied by
    ``factor``; ``limit`` is bytes or text with a unit, and the last attempt is made with that.
    Both its ``memory_limit`` and the memory that it asks for in its resources are raised, the
    latter only if it asks. A failure of any other cause is for another policy, as in
    ``MoreMemory("64 GiB") | Retries(1)``.
    """

    limit: int = attrs.field(converter=_bytes, validator=_some)
    factor: float = attrs.field(default=2.0, validator=number(_LEAST_FACTOR))

    def decide(self, trouble: Trouble) -> Decision:
        """Try again with more, where there is more."""
        if trouble.cause is not Cause.OUT_OF_MEMORY:
            return GiveUp()
        resources = trouble.resources
        asked = 0 if resources is None else resources.memory
        had = trouble.memory_limit or asked or trouble.failure.peak_memory or 0
        if not had:
            return GiveUp(
                "it ran out of memory, and nobody knows how much it had; give it a memory_limit"
            )
        if had >= self.limit:
            return GiveUp(f"it ran out of memory with {_words(had)}, which is all that it may have")
        most = max(had, trouble.failure.peak_memory or 0)
        # At least a byte more than it had: whole bytes could otherwise stand still.
        wanted = min(self.limit, max(int(most * self.factor), had + 1))
        if resources is not None and asked:
            resources = attrs.evolve(resources, memory=max(asked, wanted))
        return Again(resources=resources, memory_limit=wanted)


def _words(amount: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if amount >= unit:
            return f"{amount / unit:.3g} {name}"
    return f"{amount} bytes"
