"""What runs on a node below the manager: the zygote and its workers. Neither knows ``zmq``."""

from lamina.htex_worker.pipe import (
    DRY,
    NEED,
    OUTCOME,
    UP,
    Records,
    form_record,
    mark_record,
    read_need,
    read_outcome,
    task_record,
)

__all__ = [
    "DRY",
    "NEED",
    "OUTCOME",
    "Records",
    "UP",
    "form_record",
    "mark_record",
    "read_need",
    "read_outcome",
    "task_record",
]
