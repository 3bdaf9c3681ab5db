"""What runs on a node below the manager: the zygote and its workers. Neither knows ``zmq``."""

from lamina.htex_worker.pipe import (
    DRY,
    NEED,
    OUTCOME,
    UP,
    MalformedRecord,
    Records,
    form_record,
    mark_record,
    read_need,
    read_outcome,
    read_up,
    task_record,
)

__all__ = [
    "DRY",
    "MalformedRecord",
    "NEED",
    "OUTCOME",
    "Records",
    "UP",
    "form_record",
    "mark_record",
    "read_need",
    "read_outcome",
    "read_up",
    "task_record",
]
