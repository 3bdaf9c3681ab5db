"""The kernel: it takes tasks into a dataflow, has executors run them, resolves their futures."""

from lamina.kernel.config import Config, ExitMode
from lamina.kernel.dataflow import DataFlowKernel
from lamina.kernel.futures import KernelFuture
from lamina.kernel.protocol import Kernel, TaskOptions, TaskSpec

__all__ = [
    "Config",
    "DataFlowKernel",
    "ExitMode",
    "Kernel",
    "KernelFuture",
    "TaskOptions",
    "TaskSpec",
]
