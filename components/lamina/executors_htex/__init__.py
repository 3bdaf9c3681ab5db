"""The pilot-job executor."""

from lamina.executors_htex.executor import HighThroughputExecutor
from lamina.executors_htex.settings import Settings

__all__ = ["HighThroughputExecutor", "Settings"]
