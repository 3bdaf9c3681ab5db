"""The executors that users can ask for by name."""

BUILTIN = {
    "htex": "..executors_htex:HighThroughputExecutor",
    "mpi": "..executors_mpi:MPIExecutor",
    "threads": ".threads:ThreadPoolExecutor",
}
