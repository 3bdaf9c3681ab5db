"""The public face of Lamina: all that a workflow needs, each name imported when first used.

::

    from lamina.flow import load, python_app


    @python_app
    def inc(x: int) -> int:
        return x + 1


    with load():
        assert inc(inc(1)).result() == 3
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.apps import (
        AUTO_LOGNAME,
        AppFuture,
        DataFuture,
        bash_app,
        clear,
        dfk,
        join_app,
        load,
        python_app,
        wait_for_current_tasks,
    )
    from lamina.channels import LocalChannel
    from lamina.executors import ThreadPoolExecutor
    from lamina.executors_htex import HighThroughputExecutor
    from lamina.kernel import Config, DataFlowKernel
    from lamina.launchers import SimpleLauncher, SingleNodeLauncher, WrappedLauncher
    from lamina.memo import id_for_memo
    from lamina.providers import LocalProvider
    from lamina.vocabulary import File

__all__ = [
    "AUTO_LOGNAME",
    "AppFuture",
    "Config",
    "DataFlowKernel",
    "DataFuture",
    "File",
    "HighThroughputExecutor",
    "LocalChannel",
    "LocalProvider",
    "SimpleLauncher",
    "SingleNodeLauncher",
    "ThreadPoolExecutor",
    "WrappedLauncher",
    "bash_app",
    "clear",
    "dfk",
    "id_for_memo",
    "join_app",
    "load",
    "python_app",
    "wait_for_current_tasks",
]

# The brick, beside this one, in which each name is.
_WHERE = {
    "AUTO_LOGNAME": "apps",
    "AppFuture": "apps",
    "Config": "kernel",
    "DataFlowKernel": "kernel",
    "DataFuture": "apps",
    "File": "vocabulary",
    "HighThroughputExecutor": "executors_htex",
    "LocalChannel": "channels",
    "LocalProvider": "providers",
    "SimpleLauncher": "launchers",
    "SingleNodeLauncher": "launchers",
    "ThreadPoolExecutor": "executors",
    "WrappedLauncher": "launchers",
    "bash_app": "apps",
    "clear": "apps",
    "dfk": "apps",
    "id_for_memo": "memo",
    "join_app": "apps",
    "load": "apps",
    "python_app": "apps",
    "wait_for_current_tasks": "apps",
}


def __getattr__(name: str) -> Any:
    brick = _WHERE.get(name)
    if brick is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    beside = __name__.rpartition(".")[0]
    value = getattr(import_module(f"{beside}.{brick}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
