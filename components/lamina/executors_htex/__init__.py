"""The pilot-job executor."""

from lamina.executors_htex.executor import HighThroughputExecutor
from lamina.executors_htex.guard import QuarantinedNode
from lamina.executors_htex.plan import ExecutorPlan
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding

__all__ = [
    "BlockStanding",
    "ExecutorPlan",
    "HighThroughputExecutor",
    "QuarantinedNode",
    "Settings",
]
