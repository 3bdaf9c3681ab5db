"""The public face for hosts: executors by name, tasks and payloads, and no kernel.

::

    from lamina.endpoint import Endpoint

    with Endpoint("endpoint.toml") as endpoint:
        future = endpoint.submit(pow, 2, 10)
        answer = endpoint.submit_payload("acme.worker:run", b"...")
        assert future.result() == 1024
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.channels import LocalChannel
    from lamina.events import EventSink, JsonLinesSink, MemorySink
    from lamina.executors import NotStartedError
    from lamina.executors_htex import BlockStanding, ExecutorPlan, HighThroughputExecutor
    from lamina.hosting import Endpoint, EndpointConfig, TaskFuture, read_config, render_plan
    from lamina.launchers import SimpleLauncher, SingleNodeLauncher, SrunLauncher
    from lamina.providers import LocalProvider
    from lamina.providers_batch import SlurmProvider
    from lamina.vocabulary import (
        ConfigError,
        Event,
        LaminaError,
        SerializationError,
        TaskError,
        TaskState,
        UsageError,
    )

__all__ = [
    "BlockStanding",
    "ConfigError",
    "Endpoint",
    "EndpointConfig",
    "Event",
    "EventSink",
    "ExecutorPlan",
    "HighThroughputExecutor",
    "JsonLinesSink",
    "LaminaError",
    "LocalChannel",
    "LocalProvider",
    "MemorySink",
    "NotStartedError",
    "SerializationError",
    "SimpleLauncher",
    "SingleNodeLauncher",
    "SlurmProvider",
    "SrunLauncher",
    "TaskError",
    "TaskFuture",
    "TaskState",
    "UsageError",
    "read_config",
    "render_plan",
]

# The brick, beside this one, in which each name is.
_WHERE = {
    "BlockStanding": "executors_htex",
    "ConfigError": "vocabulary",
    "Endpoint": "hosting",
    "EndpointConfig": "hosting",
    "Event": "vocabulary",
    "EventSink": "events",
    "ExecutorPlan": "executors_htex",
    "HighThroughputExecutor": "executors_htex",
    "JsonLinesSink": "events",
    "LaminaError": "vocabulary",
    "LocalChannel": "channels",
    "LocalProvider": "providers",
    "MemorySink": "events",
    "NotStartedError": "executors",
    "SerializationError": "vocabulary",
    "SimpleLauncher": "launchers",
    "SingleNodeLauncher": "launchers",
    "SlurmProvider": "providers_batch",
    "SrunLauncher": "launchers",
    "TaskError": "vocabulary",
    "TaskFuture": "hosting",
    "TaskState": "vocabulary",
    "UsageError": "vocabulary",
    "read_config": "hosting",
    "render_plan": "hosting",
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
