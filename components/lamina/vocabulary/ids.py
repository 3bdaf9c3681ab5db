"""Names of the things that every layer speaks of.

Identifiers are plain integers and strings underneath, so that they cost nothing on the
hot path and cross any wire; ``NewType`` keeps them apart in the type checker.
"""

from typing import NewType

__all__ = ["AttemptId", "BlockId", "JobId", "ManagerId", "TaskId"]

TaskId = NewType("TaskId", int)
"""One call of one app, counted from 0 within its kernel."""

AttemptId = NewType("AttemptId", int)
"""One try at running one task, unique within the executor's client."""

BlockId = NewType("BlockId", str)
"""Our own name of one block of nodes; given before the batch system knows of it."""

JobId = NewType("JobId", str)
"""The batch system's name of the job that is a block."""

ManagerId = NewType("ManagerId", str)
"""One incarnation of one manager process; never used again after its end."""
