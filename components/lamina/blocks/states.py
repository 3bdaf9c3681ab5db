"""Where a block can stand, and how it gets from there to somewhere else.

::

    requested ─→ pending ⇄ held        what waits may be held back,
        │           ⇅                  what runs may be suspended, or queued again;
        │        running ⇄ suspended   any of them may become unknown and show up anew
        ↓           ↓
     refused    completing ─→ an end   an end is for good, and its name is its cause
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from lamina.providers import JobState, JobStatus

__all__ = ["BAD", "ENDS", "TRANSITIONS", "WAITING", "BlockState", "end_of", "said_of"]


class BlockState(enum.Enum):
    """Where a block stands; the second half are ends."""

    REQUESTED = "requested"
    """The provider is being asked for it."""
    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    """It is in the queue, and somebody has to release it."""
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    UNKNOWN = "unknown"
    """The batch system does not show it, or says what nobody has a word for."""

    COMPLETED = "completed"
    FAILED = "failed"
    WALLTIME = "timeout"
    CANCELLED = "cancelled"
    """By this program."""
    REMOVED = "cancelled_by_others"
    PREEMPTED = "preempted"
    NODE_FAILED = "node_fail"
    OUT_OF_MEMORY = "out_of_memory"
    MISSING = "gone"
    """The batch system has forgotten it, and nobody knows how it ended."""
    LOST = "lost"
    """Its managers left and its job went on, until it was cancelled for that."""
    REFUSED = "refused"
    """There has never been a job."""

    @property
    def over(self) -> bool:
        """Whether it is an end."""
        return self in ENDS


_S = BlockState
_QUEUE = frozenset({_S.PENDING, _S.RUNNING, _S.HELD, _S.SUSPENDED, _S.COMPLETING, _S.UNKNOWN})
ENDS = frozenset(_S) - _QUEUE - {_S.REQUESTED}
_OF_A_JOB = ENDS - {_S.REFUSED}
_NEVER_RAN = _OF_A_JOB - {_S.LOST}
WAITING = frozenset({_S.REQUESTED, _S.PENDING, _S.HELD})
"""Those in which no node is there yet, or again."""
BAD = frozenset({_S.FAILED, _S.OUT_OF_MEMORY, _S.MISSING, _S.LOST, _S.REFUSED})
"""Ends that may be the executor's own fault."""

TRANSITIONS: Mapping[BlockState, frozenset[BlockState]] = MappingProxyType(
    {
        # A node may come before the answer to the request has.
        _S.REQUESTED: frozenset({_S.PENDING, _S.RUNNING, _S.REFUSED}),
        _S.PENDING: _QUEUE - {_S.PENDING} | _NEVER_RAN,
        _S.HELD: _QUEUE - {_S.HELD} | _NEVER_RAN,
        _S.RUNNING: _QUEUE - {_S.RUNNING} | _OF_A_JOB,
        _S.SUSPENDED: _QUEUE - {_S.SUSPENDED} | _OF_A_JOB,
        # It may be queued again and even run again before anybody looks; it is not suspended.
        _S.COMPLETING: _QUEUE - {_S.COMPLETING, _S.SUSPENDED} | _OF_A_JOB,
        _S.UNKNOWN: _QUEUE - {_S.UNKNOWN} | _OF_A_JOB,
        **{end: frozenset() for end in ENDS},
    }
)
"""Where each state may lead. What is told beyond that is not believed."""

_SAID: Mapping[JobState, BlockState] = MappingProxyType(
    {
        JobState.PENDING: _S.PENDING,
        JobState.RUNNING: _S.RUNNING,
        JobState.HELD: _S.HELD,
        JobState.SUSPENDED: _S.SUSPENDED,
        JobState.COMPLETING: _S.COMPLETING,
        JobState.UNKNOWN: _S.UNKNOWN,
        JobState.COMPLETED: _S.COMPLETED,
        JobState.FAILED: _S.FAILED,
        JobState.TIMEOUT: _S.WALLTIME,
        JobState.CANCELLED: _S.REMOVED,
        JobState.PREEMPTED: _S.PREEMPTED,
        JobState.NODE_FAIL: _S.NODE_FAILED,
        JobState.OUT_OF_MEMORY: _S.OUT_OF_MEMORY,
        JobState.GONE: _S.MISSING,
    }
)
# How a job may end that is told to: its script has a status of its own, or leaves no trace.
_BY_ORDER = frozenset({_S.COMPLETED, _S.FAILED, _S.REMOVED, _S.MISSING})


def said_of(status: JobStatus) -> BlockState:
    """What the batch system says, taken by itself."""
    said = _SAID[status.state]
    if said is _S.COMPLETED and status.exit_code:
        return _S.FAILED
    return said


def end_of(state: BlockState, said: BlockState, *, ordered: bool, lost: bool) -> BlockState:
    """The end of a block in this state, of whose job such an end is told.

    ``ordered`` says that this program has told the job to end, ``lost`` that it did so because
    the managers were gone. A cause that neither brings about, such as the walltime, is the cause.
    """
    if not ordered or said not in _BY_ORDER:
        return said
    return _S.LOST if lost and _S.LOST in TRANSITIONS[state] else _S.CANCELLED
