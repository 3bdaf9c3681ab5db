"""The executors that users can ask for by name."""

BUILTIN = {
    "htex": "..executors_htex:HighThroughputExecutor",
    "threads": ".threads:ThreadPoolExecutor",
}
