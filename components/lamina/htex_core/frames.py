"""The frames of htex: what the three kinds of process say to one another.

Each frame is ``[kind, epoch, body]`` in msgpack. The kinds are numbers that are never used
again for something else; bodies are lists, or maps where fields may be added, whose unknown
keys are ignored. ``docs/wire-format.md`` describes every field.

A task on the wire is ``[attempt, digest | nil, buffers, options | nil]`` and an outcome is
``[attempt, code, buffers, began, ended, facts | nil]``; both are opaque lists to every hop
that need not look into them.
"""

from typing import Any, Final, NamedTuple, TypeAlias

__all__ = [
    "ACK",
    "ADMIT",
    "CANCEL",
    "CONFIG",
    "CREDIT",
    "EVENTS",
    "FENCE",
    "FORMS",
    "GOODBYE",
    "HEARTBEAT",
    "JOINED",
    "LOST",
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
    "UNSENT",
    "VALUE",
    "WELCOME",
    "Frame",
    "ManagerInfo",
    "WireOutcome",
    "WireTask",
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
# All the way, down and up.
TASKS: Final = 10
FORMS: Final = 11
CANCEL: Final = 12
ACK: Final = 13
STOP: Final = 14
RESULTS: Final = 20
STARTED: Final = 21
NEED: Final = 22
RETURNED: Final = 23
EVENTS: Final = 24
SAMPLES: Final = 25
# Manager and interchange.
REGISTER: Final = 30
WELCOME: Final = 31
REFUSE: Final = 32
HEARTBEAT: Final = 33
GOODBYE: Final = 34

# The code of an outcome.
VALUE: Final = 0  # buffers hold the value
RAISED: Final = 1  # the first buffer holds the exception
UNDONE: Final = 2  # the machinery ended it; the facts say how
UNSENT: Final = 3  # the first buffer says why arguments or result could not be (un)pickled

WireTask: TypeAlias = list[Any]
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
    pid: int
    slots: int
    python: str
    package: str
