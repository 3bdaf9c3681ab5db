"""Which of CPython's executor tests we do not pass, each with the reason.

A test that is here and passes is an error, like one that is not here and fails.
"""

__all__ = ["EXCLUDED"]

_PRIVATE = "looks for processes in private attributes; test_pool_of_processes.py says it of ours"
_REFUSED = "settings that cannot work are a ConfigError of ours, not a ValueError"
_STDOUT = "expects output of a worker on its own stdout, where ours goes to the block's file"
_RECYCLED = "workers are not replaced after a number of tasks: there is no max_tasks_per_child"
_UNPICKLED = "only the task fails, with SerializationError; the pool is not broken by it"

EXCLUDED = {
    "threads": {
        "ThreadPoolShutdownTest.test_thread_names_default": "threads are named after the label",
        "ThreadPoolExecutorTest.test_default_workers": "None is one thread per processor",
        "ThreadPoolExecutorTest.test_max_workers_negative": _REFUSED,
    },
    "htex": {
        "ProcessPoolShutdownTest.test_cancel_futures": (
            "expects a task to have begun at once, before any of our workers has come"
        ),
        "ProcessPoolShutdownTest.test_context_manager_shutdown": _PRIVATE,
        "ProcessPoolShutdownTest.test_del_shutdown": _PRIVATE,
        "ProcessPoolShutdownTest.test_hang_gh83386": (
            "skips itself for process pools, which hang; test_pool_of_processes.py has it for ours"
        ),
        "ProcessPoolShutdownTest.test_interpreter_shutdown": _STDOUT,
        "ProcessPoolShutdownTest.test_processes_terminate": _PRIVATE,
        "ProcessPoolShutdownTest.test_shutdown_no_wait": _PRIVATE,
        "ProcessPoolExecutorTest.test_idle_process_reuse_multiple": (
            "workers come with their block, not one by one as they are needed"
        ),
        "ProcessPoolExecutorTest.test_idle_process_reuse_one": (
            "workers come with their block, not one by one as they are needed"
        ),
        "ProcessPoolExecutorTest.test_killed_child": (
            "a lost worker does not break the pool: another takes its place; and it looks for "
            "processes in private attributes"
        ),
        "ProcessPoolExecutorTest.test_max_tasks_early_shutdown": _RECYCLED,
        "ProcessPoolExecutorTest.test_max_tasks_per_child": _RECYCLED,
        "ProcessPoolExecutorTest.test_max_tasks_per_child_defaults_to_spawn_context": _RECYCLED,
        "ProcessPoolExecutorTest.test_max_workers_negative": _REFUSED,
        "ProcessPoolExecutorTest.test_max_workers_too_large": "is for Windows and skips itself",
        "ProcessPoolExecutorTest.test_ressources_gced_in_workers": (
            "needs the authentication key that children of multiprocessing inherit"
        ),
        "ProcessPoolExecutorTest.test_saturation": (
            "sends a semaphore that only children of multiprocessing can inherit"
        ),
        "ProcessPoolExecutorTest.test_traceback": (
            "expects a private class of the library as the exception's cause; with us the worker's "
            "traceback is a note, so that the exception keeps a cause of its own"
        ),
        "ExecutorDeadlockTest.test_error_at_task_unpickle": _UNPICKLED,
        "ExecutorDeadlockTest.test_error_during_result_unpickle_in_result_handler": _UNPICKLED,
        "ExecutorDeadlockTest.test_exit_at_task_unpickle": (
            "sys.exit in a task is an exception of the task, also while it is unpickled"
        ),
        "ExecutorDeadlockTest.test_exit_during_result_unpickle_in_result_handler": _UNPICKLED,
        "ExecutorDeadlockTest.test_shutdown_deadlock_pickle": _PRIVATE,
    },
}
