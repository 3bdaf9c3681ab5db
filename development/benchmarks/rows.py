"""The rows of the table, and what one trial hands back for them."""

from typing import Any, NamedTuple, TypeAlias

Found: TypeAlias = dict[str, Any]
"""What a figure found: a number for each row, a list of points for each series."""


class Row(NamedTuple):
    """One row of the table."""

    unit: str
    more_is_better: bool = False


START_UP = "program start to first result"
IMPORT = "import"
THROUGHPUT = "no-op throughput"
CLIENT_CPU = "program's processor time per no-op task"
LATENCY = "latency, p50"
LATENCY_95 = "latency, p95"
CHAIN = "chain"
TREE = "tree"
PAYLOAD = "1 MB there and back"
MIXED = "mixed 1 ms and 2 s, makespan over the ideal"
PENDING = "memory per pending task"
FINISHED = "memory per finished task"
COST_TASKS = "time per task, most tasks over fewest"
COST_QUEUE = "time per task, long queue over short"
AT_ONCE = "all at once: program's memory per task"
AT_ONCE_ELSEWHERE = "all at once: growth of any other process"
STREAM = "bounded queue: growth of any process"
MEMO = "remembered over plain, time per task"
MEMO_ADDED = "added by memo and checkpoint, per task"
KERNEL = "kernel's processor time per task, null executor"
CLIENT = "client machine alone, per task"
INTERCHANGE = "interchange machine alone, per task"
MANAGER = "manager machine alone, per task"
COST_MANAGERS = "interchange machine, most managers over fewest"

ROWS = {
    START_UP: Row("s"),
    IMPORT: Row("s"),
    THROUGHPUT: Row("tasks/s", more_is_better=True),
    CLIENT_CPU: Row("µs"),
    LATENCY: Row("ms"),
    LATENCY_95: Row("ms"),
    CHAIN: Row("tasks/s", more_is_better=True),
    TREE: Row("tasks/s", more_is_better=True),
    PAYLOAD: Row("MB/s", more_is_better=True),
    MIXED: Row("x"),
    PENDING: Row("B"),
    FINISHED: Row("B"),
    COST_TASKS: Row("x"),
    COST_QUEUE: Row("x"),
    AT_ONCE: Row("B"),
    AT_ONCE_ELSEWHERE: Row("MB"),
    STREAM: Row("MB"),
    MEMO: Row("x"),
    MEMO_ADDED: Row("µs"),
    KERNEL: Row("µs"),
    CLIENT: Row("µs"),
    INTERCHANGE: Row("µs"),
    MANAGER: Row("µs"),
    COST_MANAGERS: Row("x"),
}

# Series: points that are drawn.
PER_TASK = "time per task"
"""Tasks and µs for each."""
STREAM_MEMORY = "memory with a bounded queue"
"""By process: tasks and bytes."""
AT_ONCE_MEMORY = "memory, all at once"
LONG_QUEUE = "long queue"
"""Not drawn: how many tasks wait in the long queue."""
PER_MANAGER = "interchange machine"
"""Managers and µs for each task."""
