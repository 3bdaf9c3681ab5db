"""Executors for a platform that drives them itself: no kernel, no apps, a configuration by name."""

from lamina.hosting.configuration import EndpointConfig, read_config
from lamina.hosting.doctor import examine
from lamina.hosting.door import ask
from lamina.hosting.endpoint import Endpoint
from lamina.hosting.findings import Finding
from lamina.hosting.futures import TaskFuture
from lamina.hosting.plan import render_plan
from lamina.hosting.record import Record, read_record
from lamina.hosting.submitting import Submitter, TaskOptions

__all__ = [
    "Endpoint",
    "EndpointConfig",
    "Finding",
    "Record",
    "Submitter",
    "TaskFuture",
    "TaskOptions",
    "ask",
    "examine",
    "read_config",
    "read_record",
    "render_plan",
]
