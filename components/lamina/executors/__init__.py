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
    DataAccess,
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
    data_access,
)
from lamina.executors.threads import ThreadPoolExecutor

__all__ = [
    "AlreadyStartedError",
    "BUILTIN",
    "BrokenPool",
    "Call",
    "Capabilities",
    "DataAccess",
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
    "data_access",
]
