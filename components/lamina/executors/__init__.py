"""Running attempts somewhere: the Protocol, threads of this process, and the standard face."""

from lamina.executors.adapter import ForeignExecutor
from lamina.executors.builtin import BUILTIN
from lamina.executors.deadlines import Deadlines
from lamina.executors.face import PoolFace
from lamina.executors.protocol import (
    AlreadyStartedError,
    BrokenPool,
    Call,
    Capabilities,
    Executor,
    ExecutorError,
    Load,
    News,
    NotStartedError,
    Outcome,
    Payload,
    Report,
    Site,
    Started,
    TaskRequest,
)
from lamina.executors.threads import ThreadPoolExecutor

__all__ = [
    "AlreadyStartedError",
    "BUILTIN",
    "BrokenPool",
    "Call",
    "Capabilities",
    "Deadlines",
    "Executor",
    "ExecutorError",
    "ForeignExecutor",
    "Load",
    "News",
    "NotStartedError",
    "Outcome",
    "Payload",
    "PoolFace",
    "Report",
    "Site",
    "Started",
    "TaskRequest",
    "ThreadPoolExecutor",
]
