"""The words that every layer uses: ids, resources, files, states, failures, the clock, errors."""

from lamina.vocabulary.clock import Clock, SystemClock
from lamina.vocabulary.errors import (
    ConfigError,
    FutureInArgumentsError,
    KernelClosedError,
    LaminaError,
    NoDataFlowKernelError,
    UsageError,
    WaitInsideTaskError,
)
from lamina.vocabulary.events import Emit, Event
from lamina.vocabulary.failures import (
    BlockEnded,
    Cause,
    ClosedError,
    DependencyError,
    ExecutorLost,
    Failure,
    HasStarted,
    JoinError,
    NodeLost,
    ResourcesUnavailable,
    SerializationError,
    StagingFailed,
    TaskError,
    TaskOutOfMemory,
    TaskWalltime,
    WorkerLost,
    exit_in_words,
)
from lamina.vocabulary.files import File, FileNotLocalError
from lamina.vocabulary.ids import AttemptId, BlockId, JobId, ManagerId, TaskId
from lamina.vocabulary.known import explains
from lamina.vocabulary.notes import add_note, set_cause
from lamina.vocabulary.quantities import read_bytes, read_gibibytes, read_seconds
from lamina.vocabulary.resources import Resources
from lamina.vocabulary.states import FINAL_STATES, TaskState

__all__ = [
    "AttemptId",
    "BlockEnded",
    "BlockId",
    "Cause",
    "Clock",
    "ClosedError",
    "ConfigError",
    "DependencyError",
    "Emit",
    "Event",
    "ExecutorLost",
    "FINAL_STATES",
    "Failure",
    "File",
    "FileNotLocalError",
    "FutureInArgumentsError",
    "HasStarted",
    "JobId",
    "JoinError",
    "KernelClosedError",
    "LaminaError",
    "ManagerId",
    "NoDataFlowKernelError",
    "NodeLost",
    "Resources",
    "ResourcesUnavailable",
    "SerializationError",
    "StagingFailed",
    "SystemClock",
    "TaskError",
    "TaskId",
    "TaskOutOfMemory",
    "TaskState",
    "TaskWalltime",
    "UsageError",
    "WaitInsideTaskError",
    "WorkerLost",
    "add_note",
    "exit_in_words",
    "explains",
    "read_bytes",
    "read_gibibytes",
    "read_seconds",
    "set_cause",
]
