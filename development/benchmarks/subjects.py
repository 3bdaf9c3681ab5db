"""The systems that are measured, each made to look the same.

A subject is started as its users would start it, with its defaults, on two workers of this
machine. Nothing is imported before it is needed: the time until the first result counts, and
each system is installed in an environment of its own.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

WORKERS = 2

Submit: TypeAlias = Callable[..., Any]
"""Submits one task and returns its handle at once."""


class Runner(NamedTuple):
    """A system that runs."""

    bind: Callable[[Callable[..., Any]], Submit]
    """Makes of a function what submits it."""
    results: Callable[[Sequence[Any]], Sequence[Any]]
    """Waits for the tasks of these handles."""
    remember: Callable[[Callable[..., Any]], Submit] | None = None
    """The same as ``bind``, where results are remembered and survive the program."""


class Subject(NamedTuple):
    """One system as it is measured."""

    make: Callable[[], AbstractContextManager[Runner]]
    module: str
    """What its users import."""
    distribution: str = ""
    """What its version is that of; empty for the standard library and for this tree."""
    peer: str = ""
    """The environment that it lives in; empty for our own."""
    dataflow: bool = True
    """Whether a handle may be the argument of another task."""
    growth: bool = False
    """Whether long runs and long queues are measured too."""
    memo: bool = False
    """Whether it remembers results; then nothing but that is measured."""


def _results(futures: Sequence[Any]) -> Sequence[Any]:
    return [future.result() for future in futures]


@contextmanager
def process_pool() -> Iterator[Runner]:
    """The standard library's process pool, which everything is compared with."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(WORKERS) as pool:
        yield Runner(lambda function: partial(pool.submit, function), _results)


@contextmanager
def thread_pool() -> Iterator[Runner]:
    """The standard library's threads."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(WORKERS) as pool:
        yield Runner(lambda function: partial(pool.submit, function), _results)


@contextmanager
def _lamina(make: Callable[[Any], Any], **settings: Any) -> Iterator[Runner]:
    flow: Any = import_module("lamina.flow")
    with tempfile.TemporaryDirectory() as directory:
        config = flow.Config(executors=[make(flow)], run_dir=directory, **settings)
        with flow.DataFlowKernel(config) as kernel:
            bind = partial(flow.python_app, data_flow_kernel=kernel)
            yield Runner(bind, _results, partial(bind, cache=True))


def lamina_threads() -> AbstractContextManager[Runner]:
    """Our kernel on threads."""
    return _lamina(lambda flow: flow.ThreadPoolExecutor(max_threads=WORKERS))


def lamina_checkpoints() -> AbstractContextManager[Runner]:
    """Our kernel on threads, with checkpoints at the default level."""
    return _lamina(
        lambda flow: flow.ThreadPoolExecutor(max_threads=WORKERS), checkpoint_mode="task_exit"
    )


def lamina_htex_unix() -> AbstractContextManager[Runner]:
    """Our kernel on htex, the manager on a Unix socket."""
    return _lamina(
        lambda flow: flow.HighThroughputExecutor(label="htex", max_workers_per_node=WORKERS)
    )


def lamina_htex_tcp() -> AbstractContextManager[Runner]:
    """Our kernel on htex, the manager on tcp with CURVE: what the targets bind on."""
    return _lamina(
        lambda flow: flow.HighThroughputExecutor(
            label="htex", max_workers_per_node=WORKERS, address="127.0.0.1"
        )
    )


@contextmanager
def _parsl(make: Callable[[Any], Any], **memo: Any) -> Iterator[Runner]:
    parsl: Any = import_module("parsl")
    with tempfile.TemporaryDirectory() as directory:
        settings: dict[str, Any] = {"executors": [make(parsl)], "run_dir": directory}
        if memo:
            memoization: Any = import_module("parsl.dataflow.memoization")
            settings["memoizer"] = memoization.BasicMemoizer(**memo)
        with parsl.DataFlowKernel(parsl.Config(**settings)) as kernel:
            bind = partial(parsl.python_app, data_flow_kernel=kernel)
            yield Runner(bind, _results, partial(bind, cache=True))


def parsl_threads() -> AbstractContextManager[Runner]:
    """Parsl on threads."""
    return _parsl(lambda parsl: parsl.ThreadPoolExecutor(max_threads=WORKERS))


def parsl_checkpoints() -> AbstractContextManager[Runner]:
    """Parsl on threads, with a checkpoint at the exit of each task."""
    return _parsl(
        lambda parsl: parsl.ThreadPoolExecutor(max_threads=WORKERS), checkpoint_mode="task_exit"
    )


def parsl_htex() -> AbstractContextManager[Runner]:
    """Parsl on htex, not encrypted, which is its default."""

    def make(parsl: Any) -> Any:
        providers: Any = import_module("parsl.providers")
        block = providers.LocalProvider(init_blocks=1, max_blocks=1)
        return parsl.HighThroughputExecutor(
            label="htex", max_workers_per_node=WORKERS, address="127.0.0.1", provider=block
        )

    return _parsl(make)


@contextmanager
def dask() -> Iterator[Runner]:
    """Dask's distributed scheduler with a process for each worker."""
    distributed: Any = import_module("distributed")
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        # A pure call is run once however often it is submitted.
        yield Runner(
            lambda function: partial(client.submit, function, pure=False),
            lambda futures: client.gather(list(futures)),
        )


@contextmanager
def ray() -> Iterator[Runner]:
    """Ray on this machine alone."""
    system: Any = import_module("ray")
    system.init(
        num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, configure_logging=False
    )
    try:
        yield Runner(
            lambda function: system.remote(function).remote,
            lambda references: system.get(list(references)),
        )
    finally:
        system.shutdown()


@contextmanager
def loky() -> Iterator[Runner]:
    """The process pool of loky."""
    module: Any = import_module("loky")
    with module.ProcessPoolExecutor(WORKERS) as pool:
        yield Runner(lambda function: partial(pool.submit, function), _results)


@contextmanager
def executorlib() -> Iterator[Runner]:
    """The pool of executorlib with workers that stay, which is its fast way."""
    module: Any = import_module("executorlib")
    with module.SingleNodeExecutor(max_workers=WORKERS, block_allocation=True) as pool:
        yield Runner(lambda function: partial(pool.submit, function), _results)


POOL = "ProcessPoolExecutor"
THREAD_POOL = "ThreadPoolExecutor"
THREADS = "Lamina threads"
CHECKPOINTS = "Lamina threads, checkpoints"
HTEX = "Lamina htex, tcp + CURVE"
HTEX_UNIX = "Lamina htex, Unix socket"
PARSL_THREADS = "Parsl threads"
PARSL_CHECKPOINTS = "Parsl threads, checkpoints"
PARSL_HTEX = "Parsl htex"
ALONE = "Lamina's parts alone"
"""Not a system: the pieces of ours that are measured without the rest."""

_PROCESSES, _THREADS = "concurrent.futures.process", "concurrent.futures.thread"
SUBJECTS = {
    POOL: Subject(process_pool, _PROCESSES, dataflow=False, growth=True),
    THREAD_POOL: Subject(thread_pool, _THREADS, dataflow=False),
    THREADS: Subject(lamina_threads, "lamina.flow"),
    CHECKPOINTS: Subject(lamina_checkpoints, "lamina.flow", memo=True),
    HTEX_UNIX: Subject(lamina_htex_unix, "lamina.flow"),
    HTEX: Subject(lamina_htex_tcp, "lamina.flow", growth=True),
    PARSL_THREADS: Subject(parsl_threads, "parsl", "parsl", "parsl"),
    PARSL_CHECKPOINTS: Subject(parsl_checkpoints, "parsl", "parsl", "parsl", memo=True),
    PARSL_HTEX: Subject(parsl_htex, "parsl", "parsl", "parsl"),
    "Dask": Subject(dask, "distributed", "distributed", "dask"),
    "Ray": Subject(ray, "ray", "ray", "ray"),
    "loky": Subject(loky, "loky", "loky", "loky", dataflow=False),
    "executorlib": Subject(executorlib, "executorlib", "executorlib", "executorlib"),
}
