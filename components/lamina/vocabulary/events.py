"""One structured record of something that happened, and the callable that takes them.

Whoever emits asks first whether anybody listens, so that with no sink an event costs one
``if``: ``if emit is not None: emit([Event(...)])``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["Emit", "Event"]


class Event(NamedTuple):
    """Something happened.

    ``kind`` is ``family.what``, such as ``task.state`` or ``manager.lost``; ``at`` is seconds
    since the epoch; ``facts`` holds what JSON can: text, numbers, booleans, None, and lists
    of those.
    """

    at: float
    kind: str
    facts: Mapping[str, object]


Emit: TypeAlias = Callable[[Sequence[Event]], None]
"""Takes events in batches. Never raises and never waits."""
