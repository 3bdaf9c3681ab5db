"""What runs on a node below the manager: the zygote and its workers. Neither knows ``zmq``."""

from lamina.htex_worker.pipe import (
    DRY,
    NEED,
    OUTCOME,
    UNFIT,
    UP,
    MalformedRecord,
    Records,
    form_record,
    initializer_record,
    mark_record,
    read_need,
    read_outcome,
    read_unfit,
    read_up,
    task_record,
)

__all__ = [
    "DRY",
    "MalformedRecord",
    "NEED",
    "OUTCOME",
    "Records",
    "UNFIT",
    "UP",
    "form_record",
    "initializer_record",
    "mark_record",
    "read_need",
    "read_outcome",
    "read_unfit",
    "read_up",
    "task_record",
]
