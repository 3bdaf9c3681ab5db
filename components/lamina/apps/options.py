"""How a task is to be run: what the decorators and ``.options(...)`` take."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import attrs

from lamina.kernel import Kernel
from lamina.retry_policy import Retries, RetryPolicy
from lamina.vocabulary import ConfigError, Resources, read_bytes, read_seconds

__all__ = ["AppOptions", "Options", "changed", "make_options", "read_specification"]


def _labels(value: object) -> tuple[str, ...] | None:
    if value is None or value == "all":
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = f'executors is {value!r}; write "all" or a list of labels, as [{value!r}]'
        raise ConfigError(msg)
    labels = tuple(value)
    if not labels or not all(isinstance(label, str) for label in labels):
        msg = f'executors is {value!r}; write "all" or a list of one or more labels'
        raise ConfigError(msg)
    return labels


def _names(value: object) -> frozenset[str]:
    if value is None:
        return frozenset()
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = f"ignore_for_cache is {value!r}; write a list of names of parameters"
        raise ConfigError(msg)
    return frozenset(map(str, value))


def _duration(value: Any, what: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float | str):
        msg = f'{what} is {value!r}; write seconds, "90 s" or "HH:MM:SS"'
        raise ConfigError(msg)
    return read_seconds(value, what=what)


def _walltime(value: Any) -> float | None:
    return _duration(value, "walltime")


def _expected(value: Any) -> float | None:
    return _duration(value, "expected")


def _bytes(value: Any) -> int | None:
    return None if value is None else read_bytes(value, what="memory_limit")


def _resources(value: Any) -> Resources | None:
    if value is None or isinstance(value, Resources):
        return value
    if not isinstance(value, Mapping):
        msg = f"resources is {value!r}; write Resources(...) or a mapping of its fields"
        raise ConfigError(msg)
    known = [field.name for field in attrs.fields(Resources)]
    if unknown := sorted(map(str, set(value) - set(known))):
        msg = f"resources has {', '.join(unknown)}; its fields are {', '.join(known)}"
        raise ConfigError(msg)
    return Resources(**value)


def _env(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        msg = f"env is {value!r}; write a mapping of text to text"
        raise ConfigError(msg)
    return dict(value)


def _number(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        msg = f"{attribute.name} is {value!r}; it must be a number, higher for sooner"
        raise ConfigError(msg)


def _count(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        msg = f"{attribute.name} is {value!r}; it must be a whole number, 0 or more"
        raise ConfigError(msg)


def _text(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and not isinstance(value, str):
        msg = f"{attribute.name} is {value!r}; it must be text"
        raise ConfigError(msg)


def _policy(_: object, __: object, value: Any) -> None:
    if value is not None and (isinstance(value, type) or not hasattr(value, "decide")):
        msg = f"retry is {value!r}; write a retry policy, or retries= for a number"
        raise ConfigError(msg)


def _mapping(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and not isinstance(value, Mapping):
        msg = f"{attribute.name} is {value!r:.100}; it must be a mapping"
        raise ConfigError(msg)


class AppOptions(TypedDict, total=False):
    """The options as the type checker sees them; Options says what each means."""

    data_flow_kernel: Kernel | None
    cache: bool
    executors: str | Iterable[str] | None
    ignore_for_cache: Iterable[str] | None
    version: str
    name: str | None
    priority: float
    retries: int | None
    retry: RetryPolicy | None
    walltime: float | str | None
    expected: float | str | None
    memory_limit: int | str | None
    resources: Resources | Mapping[str, Any] | None
    env: Mapping[str, str] | None
    hints: Mapping[str, Any] | None
    sandbox: bool


@attrs.frozen(kw_only=True)
class Options:
    """How the tasks of an app are to be run. ``None`` leaves it to the kernel."""

    data_flow_kernel: Kernel | None = None
    cache: bool = False
    executors: tuple[str, ...] | None = attrs.field(default=None, converter=_labels)
    ignore_for_cache: frozenset[str] = attrs.field(default=None, converter=_names)
    version: str = attrs.field(default="", validator=_text)
    """Part of the memo key: another version is another function."""
    name: str | None = attrs.field(default=None, validator=_text)
    """What messages and logs call it; None for the function's own name."""
    priority: float = attrs.field(default=0, validator=_number)
    """Higher runs sooner."""
    retries: int | None = attrs.field(default=None, validator=_count)
    retry: RetryPolicy | None = attrs.field(default=None, validator=_policy)
    walltime: float | None = attrs.field(default=None, converter=_walltime)
    """Seconds from the start of its code."""
    expected: float | None = attrs.field(default=None, converter=_expected)
    memory_limit: int | None = attrs.field(default=None, converter=_bytes)
    resources: Resources | None = attrs.field(default=None, converter=_resources)
    env: Mapping[str, str] | None = attrs.field(default=None, converter=_env)
    hints: Mapping[str, Any] | None = attrs.field(default=None, validator=_mapping)
    sandbox: bool = False
    """It runs in a new directory of its own, from which its outputs are collected."""

    def __attrs_post_init__(self) -> None:
        if self.retries is not None and self.retry is not None:
            msg = "retries and retry are both given; write retry=Retries(n) alone"
            raise ConfigError(msg)

    def of_executors(self) -> frozenset[str]:
        """The options that are given and that only an executor can honour."""
        names = ("env", "executors", "expected", "hints", "memory_limit", "resources", "sandbox")
        return frozenset(name for name in names if getattr(self, name))

    def for_tasks(self) -> dict[str, Any]:
        """What all tasks of the app have in common, but for what is as the defaults."""
        retry = self.retry if self.retries is None else Retries(self.retries)
        given = {
            "executors": self.executors,
            "priority": self.priority,
            "walltime": self.walltime,
            "memory_limit": self.memory_limit,
            "expected": self.expected,
            "resources": self.resources,
            "env": self.env,
            "hints": self.hints,
            "retry": retry,
            "cache": self.cache,
            "ignore_for_cache": self.ignore_for_cache,
            "version": self.version,
            "sandbox": self.sandbox,
        }
        return {name: value for name, value in given.items() if value} | (
            {"walltime": self.walltime} if self.walltime is not None else {}
        )


def make_options(given: Mapping[str, Any]) -> Options:
    """Options from keywords.

    Raises:
        ConfigError: One is unknown, or has a value that cannot work.
    """
    _refuse_unknown(given)
    return Options(**given)


def changed(options: Options, given: Mapping[str, Any]) -> Options:
    """The same options with others in their place.

    Raises:
        ConfigError: One is unknown, or has a value that cannot work.
    """
    _refuse_unknown(given)
    if "retries" in given and "retry" not in given:
        given = {**given, "retry": None}
    elif "retry" in given and "retries" not in given:
        given = {**given, "retries": None}
    return attrs.evolve(options, **given)


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    known = [field.name for field in attrs.fields(Options)]
    if unknown := sorted(set(given) - set(known)):
        msg = f"there is no option {', '.join(unknown)}; the options are {', '.join(known)}"
        raise ConfigError(msg)


_SPECIFIED = (
    "cores", "disk", "gpus", "launcher_options", "memory", "num_nodes", "num_ranks",
    "ranks_per_node", "running_time_min",
)  # fmt: skip


def read_specification(given: object) -> tuple[Resources, float | None]:
    """Read ``parsl_resource_specification``: the resources, and the seconds that are expected.

    ``memory`` and ``disk`` are MiB, ``running_time_min`` is minutes, as its users know them.

    Raises:
        ConfigError: A key is unknown or its value cannot work.
    """
    what = "parsl_resource_specification"
    if not isinstance(given, Mapping):
        msg = f"{what} is {given!r}; it must be a mapping"
        raise ConfigError(msg)
    _check_specification(given, what)
    nodes, ranks = _nodes_and_ranks(given, what)
    extra = {}
    if given.get("launcher_options"):
        extra["launcher_options"] = given["launcher_options"]
    if "disk" in given:
        extra["disk"] = read_bytes(given["disk"], unit=2**20, what="disk")
    resources = Resources(
        cores=given.get("cores", 0),
        memory=read_bytes(given.get("memory", 0), unit=2**20, what="memory"),
        accelerators=given.get("gpus", 0),
        nodes=nodes,
        ranks=ranks,
        extra=extra,
    )
    minutes = given.get("running_time_min")
    return resources, None if minutes is None else read_seconds(minutes * 60, what="running time")


def _check_specification(given: Mapping[str, Any], what: str) -> None:
    """Refuse keys that mean nothing, or something else, and values of another type."""
    if "priority" in given:
        msg = f"{what} has a priority, where lower meant sooner; write .options(priority=...), "
        raise ConfigError(msg + "where higher means sooner")
    if unknown := sorted(map(str, set(given) - set(_SPECIFIED))):
        msg = f"{what} has {', '.join(unknown)}; its keys are {', '.join(_SPECIFIED)}"
        raise ConfigError(msg)
    for key, value in given.items():
        wanted = "text" if key == "launcher_options" else "a number"
        right = isinstance(value, str) == (wanted == "text") or key in ("memory", "disk")
        if isinstance(value, bool) or not isinstance(value, int | float | str) or not right:
            msg = f"{what} has {key}={value!r}; it must be {wanted}"
            raise ConfigError(msg)


def _nodes_and_ranks(given: Mapping[str, Any], what: str) -> tuple[int, int]:
    """Two of the number of nodes, of ranks, and of ranks on each node say the third."""
    nodes, ranks = given.get("num_nodes", 0), given.get("num_ranks", 0)
    each = given.get("ranks_per_node", 0)
    if not each:
        return nodes, ranks
    if not nodes and ranks:
        nodes = -(-ranks // each)
    if not ranks:
        ranks = each * max(1, nodes)
    if ranks != each * max(1, nodes):
        msg = (
            f"{what} has num_nodes={nodes}, num_ranks={ranks} and ranks_per_node={each}, which "
            "cannot all be; leave one of them out"
        )
        raise ConfigError(msg)
    return nodes, ranks
