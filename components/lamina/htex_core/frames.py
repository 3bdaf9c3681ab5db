"""The frames of htex: what the three kinds of process say to one another.

Each frame is ``[kind, epoch, body]`` in msgpack. The kinds are numbers that are never used
again for something else; bodies are lists, or maps where fields may be added, whose unknown
keys are ignored. ``docs/wire-format.md`` describes every field.

A task on the wire is ``[attempt, digest | nil, buffers, options | nil]`` and an outcome is
``[attempt, code, buffers, began, ended, facts | nil]``; both are opaque lists to every hop
that need not look into them.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = [
    "ACK",
    "ADMIT",
    "CANCEL",
    "CONFIG",
    "CREDIT",
    "DRAIN",
    "DRAINED",
    "DRAINING",
    "DROP",
    "EVENTS",
    "FENCE",
    "FORMS",
    "Frame",
    "GOODBYE",
    "HEARTBEAT",
    "HOLD",
    "JOINED",
    "LARGE",
    "LEFT",
    "LOAD",
    "LOST",
    "Large",
    "ManagerInfo",
    "NEED",
    "PROTOCOL",
    "RAISED",
    "READY",
    "REFUSE",
    "REGISTER",
    "RESULTS",
    "RETURNED",
    "SAMPLES",
    "STARTED",
    "STOP",
    "TASKS",
    "UNDONE",
    "UNFIT",
    "UNSENT",
    "VALUE",
    "WELCOME",
    "WireOutcome",
    "WireTask",
    "YIELD",
    "unwrapped",
    "wrapped",
]

PROTOCOL: Final = 1

# Client and interchange.
CONFIG: Final = 1  # client → interchange, once: what to bind, keys, thresholds
READY: Final = 2  # interchange → client, once: where managers may connect
CREDIT: Final = 3  # interchange → client: how many unresolved tasks it will hold
JOINED: Final = 4  # interchange → client: a manager registered, with what it holds
LOST: Final = 5  # interchange → client: a manager is gone, with the attempts that it had
FENCE: Final = 6  # client → interchange: incarnations that are not to come back
ADMIT: Final = 7  # client → interchange: incarnations that it knows of and that may be given tasks
DRAIN: Final = 8  # client → interchange → manager: no more tasks, and leave once all have ended
HOLD: Final = 9  # client → interchange: the blocks that are given no tasks, all of them
LOAD: Final = 15  # interchange → client: how many workers of a manager are busy, if that is news
LEFT: Final = 16  # interchange → client: a manager is drained, and waits to be fenced
# All the way, down and up.
TASKS: Final = 10
FORMS: Final = 11
CANCEL: Final = 12
ACK: Final = 13
STOP: Final = 14
DROP: Final = 19  # digests of shared objects that nobody needs any more
RESULTS: Final = 20
STARTED: Final = 21
NEED: Final = 22
RETURNED: Final = 23
EVENTS: Final = 24
SAMPLES: Final = 25
UNFIT: Final = 29  # a worker's initializer has failed, so that no task can run
# Manager and interchange.
REGISTER: Final = 30
WELCOME: Final = 31
REFUSE: Final = 32
HEARTBEAT: Final = 33
GOODBYE: Final = 34
YIELD: Final = 35  # interchange → manager: so many unbegun tasks are wanted back
DRAINING: Final = (
    36  # manager → interchange: it wants no more tasks, and leaves when all have ended
)
DRAINED: Final = 37  # manager → interchange: they have, and all results are acknowledged

# The code of an outcome.
VALUE: Final = 0  # buffers hold the value
RAISED: Final = 1  # the first buffer holds the exception
UNDONE: Final = 2  # the machinery ended it; the facts say how
UNSENT: Final = 3  # the first buffer says why arguments or result could not be (un)pickled

LARGE: Final = 2**16
"""Buffers of so many bytes and more travel behind their frame, uncopied."""


class Large:
    """A large buffer in the body of a frame."""

    __slots__ = ("view",)

    def __init__(self, buffer: bytes | bytearray | memoryview) -> None:
        self.view = memoryview(buffer)

    def __len__(self) -> int:
        return self.view.nbytes

    def __eq__(self, other: object) -> bool:
        return self.view == (other.view if isinstance(other, Large) else other)

    __hash__ = None  # type: ignore[assignment]  # as memoryviews that can be written to

    def __repr__(self) -> str:
        return f"Large({len(self)} bytes)"


def wrapped(buffer: bytes | bytearray | memoryview) -> bytes | Large:
    """A buffer as it goes into a frame. One that somebody may still write to is copied."""
    if type(buffer) is bytes and len(buffer) < LARGE:
        return buffer  # as nearly all are
    view = memoryview(buffer)
    if view.nbytes < LARGE:
        return bytes(view)
    return Large(view if view.readonly else bytes(view))


def unwrapped(buffer: bytes | Large) -> bytes | memoryview:
    """A buffer as it came out of one."""
    return buffer.view if type(buffer) is Large else buffer  # type: ignore[return-value]


WireTask: TypeAlias = Sequence[Any]
WireOutcome: TypeAlias = list[Any]


class Frame(NamedTuple):
    """One frame, read."""

    kind: int
    epoch: int
    body: Any


class ManagerInfo(NamedTuple):
    """What a manager says of itself when it registers, in the order of the wire."""

    uid: str
    block: str
    host: str
    boot: str
    """Its process, as others on its host can find it again; opaque to the machines."""
    pid: int
    slots: int
    python: str
    package: str
