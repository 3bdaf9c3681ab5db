"""How a kernel is to be: a value that starts nothing and may be used any number of times."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import attrs

from lamina.dependencies import DependencyResolver, resolver_named
from lamina.events import EventSink
from lamina.executors import Executor
from lamina.kernel.task import INTERNAL
from lamina.memo import FilePolicy, InMemoryMemo, Memo, NoMemo, StoredMemo
from lamina.plugins import ConfigErrors, Mistake, resolve
from lamina.retry_policy import (
    CostBudget,
    Retries,
    RetryHandler,
    RetryPolicy,
    default_policy,
)
from lamina.routing import Router
from lamina.vocabulary import ConfigError, explains, read_bytes, read_seconds

__all__ = ["CheckpointMode", "Config", "ExitMode"]

ExitMode: TypeAlias = Literal["cleanup", "skip", "wait"]
CheckpointMode: TypeAlias = Literal["task_exit", "periodic", "dfk_exit", "manual"]

_EXIT_MODES = ("cleanup", "skip", "wait")
_CHECKPOINT_MODES = ("task_exit", "periodic", "dfk_exit", "manual")
_FILE_POLICIES = ("name", "stat", "content")
_RESOLVERS = ("shallow", "deep")

# What an object of each kind can do at the least, and one that would do.
_EXECUTOR = ("cancel", "close", "label", "launch", "load", "start")
_PARTS = {
    "retry_policy": (("decide",), "a retry policy, such as Retries(2)"),
    "memoizer": (("key", "look_up", "record"), "a memo, such as InMemoryMemo()"),
    "router": (("choose",), "a router, such as RoundRobin()"),
}
_RESOLVER = ("gather", "unwrap")
_SINK = ("close", "take")


def _default_executors() -> tuple[Executor, ...]:
    # By name: the kernel knows no executor but through its Protocol.
    executor: Executor = resolve("executors", "htex")()
    return (executor,)


def _executors(value: Iterable[Executor]) -> Any:
    return _several(value)


def _sinks(value: Iterable[EventSink]) -> Any:
    return _several(value)


def _plugins(value: Iterable[Any] | None) -> Any:
    return None if value is None else _several(value)


def _cache_limit(value: Any) -> Any:
    try:
        return read_bytes(value, what="staging_cache_limit")
    except (ConfigError, TypeError):  # complained of together with everything else
        return value


def _staging_walltime(value: Any) -> Any:
    try:
        return None if value is None else read_seconds(value, what="staging_walltime")
    except (ConfigError, TypeError):
        return value


def _paths(value: Any) -> Any:
    return None if value is None else _several(value)


def _several(value: object) -> Any:
    """A tuple, or what it is: that is complained of together with everything else."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return value
    return tuple(value)


@explains(
    strategy="blocks are those of an executor; write HighThroughputExecutor(strategy=...)",
    strategy_period="write HighThroughputExecutor(strategy_period=...)",
    max_idletime="write HighThroughputExecutor(max_idletime=...)",
    garbage_collect="what has ended is always forgotten; leave it out",
    initialize_logging="messages go to loggers below 'lamina', where logging sends them",
    monitoring="write event_sinks=[...]; they are told of everything that happens",
    usage_tracking="nothing is reported to anybody; leave it out",
    project_name="nothing is reported to anybody; leave it out",
)
@attrs.frozen(kw_only=True)
class Config:
    """How a kernel is to be. Every kernel made from it has its own run.

    Raises:
        ConfigErrors: Settings cannot work; the text names each, and what would.
    """

    executors: tuple[Executor, ...] = attrs.field(factory=_default_executors, converter=_executors)
    retries: int = 0
    """New attempts after any failure; 0 leaves it to the default policy."""
    retry_policy: RetryPolicy | None = None
    retry_handler: RetryHandler | None = None
    """``f(exception, task)`` says what a failure costs; ``retries`` is what a task may spend."""
    memoizer: Memo | None = None
    """Where results of apps with ``cache=True`` are kept; None for what the next five say."""
    app_cache: bool = True
    """False: nothing is remembered, whatever apps say."""
    checkpoint_mode: CheckpointMode | None = None
    """When results are made safe in the run directory; None keeps them in this kernel's memory.

    ``"task_exit"``: within half a second of each; ``"periodic"``: every ``checkpoint_period``;
    ``"dfk_exit"``: at the end of the kernel; ``"manual"``: when you call ``checkpoint()``, and at
    the end.
    """
    checkpoint_period: float | str | None = None
    """Seconds, or text such as ``"00:30:00"``; for ``"periodic"``."""
    checkpoint_files: Iterable[str | os.PathLike[str]] | None = attrs.field(
        default=None, converter=_paths
    )
    """Runs whose results count; None for the last one and those before it, where there is a
    ``checkpoint_mode``; empty for none. Named without a mode, they mean ``"task_exit"``."""
    memo_files: FilePolicy = "stat"
    """How a File among the arguments counts: by ``"name"``, by ``"stat"`` (size and time of
    change as well), or by ``"content"``."""
    dependency_resolver: str | DependencyResolver = "shallow"
    """Where futures are looked for in arguments: ``"shallow"``, ``"deep"`` or your own."""
    router: Router | None = None
    """Which executor gets a task; None for the one with the least work per slot."""
    exit_mode: ExitMode = "cleanup"
    """At the end of ``with``: close it, leave it running, or wait for its tasks and close it."""
    internal_tasks_max_threads: int = 10
    """Threads on which the bodies of join apps run."""
    run_dir: str | os.PathLike[str] = "runinfo"
    """Where each run makes a numbered directory of its own."""
    event_sinks: tuple[EventSink, ...] = attrs.field(default=(), converter=_sinks)
    storage_access: tuple[Any, ...] | None = attrs.field(default=None, converter=_plugins)
    """Staging plug-ins, and names of such, for executors that have none of their own; None for
    all that need no settings."""
    staging_cache_limit: int = attrs.field(default=20 * 2**30, converter=_cache_limit)
    """Bytes that copies of inputs may take in each place; beyond it the longest unused go."""
    staging_walltime: float | None = attrs.field(default=None, converter=_staging_walltime)
    """Seconds that a transfer in a task of its own may take; None for as long as it takes."""
    staging_max_threads: int = 4
    """Transfers that run at once on this host, where only it reaches the files."""
    std_autopath: Callable[..., str] | None = None
    """Makes the path for a stream whose name is AUTO_LOGNAME; None for one below the run_dir."""

    def __attrs_post_init__(self) -> None:
        if mistakes := [Mistake("", says) for says in _complaints(self)]:
            raise ConfigErrors(mistakes)

    @property
    def policy(self) -> RetryPolicy:
        """The policy that the three options of retries amount to."""
        if self.retry_policy is not None:
            return self.retry_policy
        if self.retry_handler is not None:
            return CostBudget(self.retries, self.retry_handler)
        return Retries(self.retries) if self.retries else default_policy()

    def make_memo(self) -> Memo:
        """The memo that these settings amount to; a new one for each kernel, but for ``memoizer``.

        Raises:
            PluginError: The store of results cannot be imported.
        """
        if not self.app_cache:
            return NoMemo()
        if self.memoizer is not None:
            return self.memoizer
        files = self.checkpoint_files
        if self.checkpoint_mode is None and not files:
            return InMemoryMemo(files=self.memo_files)
        # By name: the kernel knows no store but through its Protocol.
        store = resolve("result_stores", "log")(
            durability="close" if self.checkpoint_mode in ("dfk_exit", "manual") else "interval",
            interval=0.5 if self.checkpoint_period is None else self.checkpoint_period,
            resume="last" if files is None else tuple(files),
        )
        return StoredMemo(store, files=self.memo_files)

    @property
    def resolver(self) -> DependencyResolver:
        """The resolver that ``dependency_resolver`` names."""
        if isinstance(self.dependency_resolver, str):
            return resolver_named(self.dependency_resolver)
        return self.dependency_resolver


def _complaints(config: Any) -> Iterator[str]:
    """What cannot work, each with what would."""
    yield from _of_executors(config.executors)
    yield from _of_numbers(config)
    yield from _of_parts(config)
    yield from _of_staging(config)
    yield from _of_sinks(config.event_sinks)
    yield from _of_checkpoints(config)
    if config.exit_mode not in _EXIT_MODES:
        yield _not_one_of("exit_mode", config.exit_mode, _EXIT_MODES)
    if not isinstance(config.run_dir, str | os.PathLike):
        yield f"run_dir is {config.run_dir!r:.100}; it must be a path"


def _of_executors(executors: Any) -> Iterator[str]:
    if not isinstance(executors, tuple):
        if _is_such(executors, _EXECUTOR):
            yield "executors is one executor; write executors=[it]"
        else:
            yield f"executors is {executors!r:.100}; write a list, as [ThreadPoolExecutor()]"
        return
    if not executors:
        yield "executors is empty; give at least one, such as ThreadPoolExecutor()"
    seen: set[str] = set()
    for index, executor in enumerate(executors):
        if not _is_such(executor, _EXECUTOR):
            yield (
                f"executors[{index}] is {executor!r:.100}; it must be an executor, such as "
                "ThreadPoolExecutor() of this package, or a ForeignExecutor around a pool"
            )
        elif not isinstance(executor.label, str) or not executor.label:
            yield f"executors[{index}] has the label {executor.label!r}; it must be a name"
        elif executor.label == INTERNAL:
            yield (
                f"executors[{index}] has the label {INTERNAL!r}, which is what the kernel calls "
                f"its own threads; give it another, such as label={INTERNAL + '2'!r}"
            )
        elif executor.label in seen:
            yield (
                f"two executors have the label {executor.label!r}; give each its own, "
                f"such as label={executor.label + '2'!r}"
            )
        else:
            seen.add(executor.label)


def _of_numbers(config: Config) -> Iterator[str]:
    counts = ("internal_tasks_max_threads", "staging_max_threads")
    for name, least in (("retries", 0), *((count, 1) for count in counts)):
        value = getattr(config, name)
        if type(value) is not int or value < least:
            yield f"{name} is {value!r:.100}; it must be a whole number, {least} or more"


def _of_staging(config: Any) -> Iterator[str]:
    storage, limit = config.storage_access, config.staging_cache_limit
    if not isinstance(storage, tuple | None):
        yield (
            f"storage_access is {storage!r:.100}; write a list of staging plug-ins and their "
            'names, as ["file", "http"]'
        )
    else:
        for name in storage or ():
            try:
                resolve("staging", name)
            except ConfigError as error:
                yield f"storage_access names {name!r:.100}: {error}"
    if type(limit) is not int:
        yield f'staging_cache_limit is {limit!r:.100}; write bytes, or text with a unit, as "1 TiB"'
    walltime = config.staging_walltime
    if walltime is not None and (type(walltime) is not float or walltime <= 0):
        yield f'staging_walltime is {walltime!r:.100}; write seconds, or such as "10 min", or None'


def _of_parts(config: Any) -> Iterator[str]:
    for name, (can, such) in _PARTS.items():
        value = getattr(config, name)
        if value is not None and not _is_such(value, can):
            yield f"{name} is {value!r:.100}; it must be {such}"
    if config.retries and config.retry_policy is not None:
        yield "retries and retry_policy are both given; write retry_policy=Retries(n) alone"
    if config.retry_handler is not None and config.retry_policy is not None:
        yield "retry_handler and retry_policy are both given; write CostBudget(retries, handler)"
    if config.retry_handler is not None and not callable(config.retry_handler):
        yield (
            f"retry_handler is {config.retry_handler!r:.100}; it must be a function of an "
            "exception and a task record that returns a cost, or None"
        )
    resolver = config.dependency_resolver
    if isinstance(resolver, str):
        if resolver not in _RESOLVERS:
            yield _not_one_of("dependency_resolver", resolver, _RESOLVERS)
    elif not _is_such(resolver, _RESOLVER):
        yield _not_one_of("dependency_resolver", resolver, _RESOLVERS) + ", or a resolver"
    if config.std_autopath is not None and not callable(config.std_autopath):
        yield (
            f"std_autopath is {config.std_autopath!r:.100}; it must be a function of the task's "
            "number, its name and the stream, or None"
        )


def _of_checkpoints(config: Any) -> Iterator[str]:
    mode, period, files = config.checkpoint_mode, config.checkpoint_period, config.checkpoint_files
    if mode is not None and mode not in _CHECKPOINT_MODES:
        yield _not_one_of("checkpoint_mode", mode, _CHECKPOINT_MODES) + ", or None"
    if (mode == "periodic") != (period is not None):
        yield (
            f"checkpoint_mode is {mode!r} and checkpoint_period is {period!r}; a period is for "
            '"periodic", which needs one, such as checkpoint_period="00:30:00"'
        )
    elif period is not None:
        try:
            read_seconds(period, what="checkpoint_period")
        except (ConfigError, TypeError) as error:
            yield str(error)
    if files is not None and not (
        isinstance(files, tuple) and all(isinstance(one, str | os.PathLike) for one in files)
    ):
        yield f"checkpoint_files is {files!r:.100}; write a list of run directories"
    if config.memoizer is not None and (mode is not None or files):
        yield (
            "memoizer and checkpoint_mode or checkpoint_files are both given; write "
            "memoizer=StoredMemo(LogResultStore(...)) alone, or leave it out"
        )
    if config.memo_files not in _FILE_POLICIES:
        yield _not_one_of("memo_files", config.memo_files, _FILE_POLICIES)


def _of_sinks(sinks: Any) -> Iterator[str]:
    if not isinstance(sinks, tuple):
        said = "is one sink" if _is_such(sinks, _SINK) else f"is {sinks!r:.100}"
        yield f"event_sinks {said}; write a list of sinks, such as [MemorySink()]"
        return
    for index, sink in enumerate(sinks):
        if not _is_such(sink, _SINK):
            yield f"event_sinks[{index}] is {sink!r:.100}; it must be a sink, such as MemorySink()"


def _is_such(value: object, can: tuple[str, ...]) -> bool:
    """Whether it is an object that can do this; a class has yet to be called."""
    return not isinstance(value, type) and all(hasattr(value, name) for name in can)


def _not_one_of(name: str, value: object, names: tuple[str, ...]) -> str:
    choice = ", ".join(repr(one) for one in names)
    return f"{name} is {value!r:.100}; it must be one of {choice}"
