"""How a kernel is to be: a value that starts nothing and may be used any number of times."""

import os
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import attrs

from lamina.dependencies import DependencyResolver, resolver_named
from lamina.events import EventSink
from lamina.executors import Executor
from lamina.memo import Memo
from lamina.plugins import resolve
from lamina.retry_policy import Retries, RetryPolicy, default_policy
from lamina.routing import Router
from lamina.vocabulary import ConfigError

__all__ = ["Config", "ExitMode"]

ExitMode: TypeAlias = Literal["cleanup", "skip", "wait"]

_EXIT_MODES = ("cleanup", "skip", "wait")
_RESOLVERS = ("shallow", "deep")


def _default_executors() -> tuple[Executor, ...]:
    # By name: the kernel knows no executor but through its Protocol.
    executor: Executor = resolve("executors", "htex")()
    return (executor,)


def _several(value: Iterable[Executor]) -> tuple[Executor, ...]:
    if hasattr(value, "launch"):
        msg = "executors is one executor; write executors=[it]"
        raise ConfigError(msg)
    return tuple(value)


def _sinks(value: Iterable[EventSink]) -> tuple[EventSink, ...]:
    return tuple(value)


def _distinct(_: object, __: object, executors: tuple[Executor, ...]) -> None:
    if not executors:
        msg = "executors is empty; give at least one, such as ThreadPoolExecutor()"
        raise ConfigError(msg)
    seen: set[str] = set()
    for executor in executors:
        if executor.label in seen:
            msg = (
                f"two executors have the label {executor.label!r}; give each its own, "
                f"such as label={executor.label + '2'!r}"
            )
            raise ConfigError(msg)
        seen.add(executor.label)


def _at_least(least: int) -> Callable[[object, "attrs.Attribute[int]", object], None]:
    def check(_: object, attribute: "attrs.Attribute[int]", value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            msg = f"{attribute.name} is {value!r}; it must be a whole number, {least} or more"
            raise ConfigError(msg)

    return check


def _one_of(names: tuple[str, ...]) -> Callable[[object, "attrs.Attribute[Any]", object], None]:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if value not in names:
            choice = ", ".join(repr(name) for name in names)
            msg = f"{attribute.name} is {value!r}; it must be one of {choice}"
            raise ConfigError(msg)

    return check


@attrs.frozen(kw_only=True)
class Config:
    """How a kernel is to be. Every kernel made from it has its own run.

    Raises:
        ConfigError: A setting cannot work; the text says what would.
    """

    executors: tuple[Executor, ...] = attrs.field(
        factory=_default_executors, converter=_several, validator=_distinct
    )
    retries: int = attrs.field(default=0, validator=_at_least(0))
    """New attempts after any failure; 0 leaves it to the default policy."""
    retry_policy: RetryPolicy | None = None
    memoizer: Memo | None = None
    """Where results of apps with ``cache=True`` are kept; None for this kernel's memory."""
    dependency_resolver: str | DependencyResolver = "shallow"
    """Where futures are looked for in arguments: ``"shallow"``, ``"deep"`` or your own."""
    router: Router | None = None
    """Which executor gets a task; None for the one with the least work per slot."""
    exit_mode: ExitMode = attrs.field(default="cleanup", validator=_one_of(_EXIT_MODES))
    """At the end of ``with``: close it, leave it running, or wait for its tasks and close it."""
    internal_tasks_max_threads: int = attrs.field(default=10, validator=_at_least(1))
    """Threads on which the bodies of join apps run."""
    run_dir: str | os.PathLike[str] = "runinfo"
    """Where each run makes a numbered directory of its own."""
    event_sinks: tuple[EventSink, ...] = attrs.field(default=(), converter=_sinks)
    std_autopath: Callable[..., str] | None = None
    """Makes the path for a stream whose name is AUTO_LOGNAME; None for one below the run_dir."""

    def __attrs_post_init__(self) -> None:
        if self.retries and self.retry_policy is not None:
            msg = "retries and retry_policy are both given; write retry_policy=Retries(n) alone"
            raise ConfigError(msg)
        if isinstance(self.dependency_resolver, str):
            _one_of(_RESOLVERS)(
                self, attrs.fields(Config).dependency_resolver, self.dependency_resolver
            )

    @property
    def policy(self) -> RetryPolicy:
        """The policy that ``retries`` and ``retry_policy`` amount to."""
        if self.retry_policy is not None:
            return self.retry_policy
        return Retries(self.retries) if self.retries else default_policy()

    @property
    def resolver(self) -> DependencyResolver:
        """The resolver that ``dependency_resolver`` names."""
        if isinstance(self.dependency_resolver, str):
            return resolver_named(self.dependency_resolver)
        return self.dependency_resolver
