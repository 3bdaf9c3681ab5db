"""The checks of the provider's options, each with the value that would work."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import attrs

from lamina.providers_kubernetes.amounts import read_cpu, read_memory
from lamina.vocabulary import ConfigError, read_seconds

__all__ = [
    "check_together",
    "claims",
    "count",
    "filled",
    "flag",
    "init_cpu",
    "init_mem",
    "max_cpu",
    "max_mem",
    "optional",
    "pull_timeout",
    "text",
    "walltime",
]

_Attribute: TypeAlias = "attrs.Attribute[Any]"
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


# Converters of attrs are named functions, so that type checkers see what they take.


def init_cpu(value: float | str) -> float:
    """Cores."""
    return read_cpu(value, what="init_cpu")


def max_cpu(value: float | str) -> float:
    """Cores."""
    return read_cpu(value, what="max_cpu")


def init_mem(value: str) -> int:
    """Bytes."""
    return read_memory(value, what="init_mem")


def max_mem(value: str) -> int:
    """Bytes."""
    return read_memory(value, what="max_mem")


def walltime(value: float | str | None) -> float | None:
    """Seconds, or text with a unit."""
    return None if value is None else read_seconds(value, what="walltime")


def pull_timeout(value: float | str) -> float:
    """Seconds, or text with a unit."""
    return read_seconds(value, what="pull_timeout")


def claims(value: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Pairs of a claim and the directory where the pod finds it."""
    found = [
        (pair[0], pair[1])
        for pair in value
        if not isinstance(pair, str) and len(pair) == 2 and str(pair[1]).startswith("/")
    ]
    if len(found) != len(value):
        msg = (
            f"persistent_volumes is {value!r}; write pairs of a claim and a whole path in the pod, "
            'such as [("my-claim", "/data")]'
        )
        raise ConfigError(msg)
    return tuple(found)


# Validators.


def text(_: object, attribute: _Attribute, value: Any) -> None:
    """Text of any number of lines."""
    if not isinstance(value, str):
        msg = f"{attribute.name} is {value!r}; it must be text"
        raise ConfigError(msg)


def filled(_: object, attribute: _Attribute, value: Any) -> None:
    """One line of text that says something."""
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        msg = f"{attribute.name} is {value!r}; write one line of text"
        raise ConfigError(msg)


def optional(_: object, attribute: _Attribute, value: Any) -> None:
    """The same, or None."""
    if value is not None:
        filled(_, attribute, value)


def flag(_: object, attribute: _Attribute, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool):
        msg = f"{attribute.name} is {value!r}; write True or False"
        raise ConfigError(msg)


def count(least: int, *, none: bool = False) -> Any:
    """A whole number; with ``none`` also None."""

    def check(_: object, attribute: _Attribute, value: Any) -> None:
        if none and value is None:
            return
        if type(value) is not int or value < least:
            leave = ", or leave it out" if none else ""
            msg = f"{attribute.name} is {value!r}; make it a whole number, {least} or more{leave}"
            raise ConfigError(msg)

    return check


class _Options(Protocol):
    """What is checked together."""

    @property
    def namespace(self) -> str: ...
    @property
    def init_blocks(self) -> int: ...
    @property
    def min_blocks(self) -> int: ...
    @property
    def max_blocks(self) -> int: ...
    @property
    def init_cpu(self) -> float: ...
    @property
    def max_cpu(self) -> float: ...
    @property
    def init_mem(self) -> int: ...
    @property
    def max_mem(self) -> int: ...
    @property
    def extra_requests(self) -> Mapping[str, str]: ...
    @property
    def extra_limits(self) -> Mapping[str, str]: ...
    @property
    def annotations(self) -> Mapping[str, str]: ...
    @property
    def image_pull_policy(self) -> str | None: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def run_as_non_root(self) -> bool: ...
    @property
    def parallelism(self) -> float: ...
    @property
    def status_polling_interval(self) -> float: ...


def check_together(options: _Options) -> None:
    """What holds between options, and what takes more than a type.

    Raises:
        ConfigError: It does not; the text says what would.
    """
    for name in ("min_blocks", "init_blocks"):
        if (value := getattr(options, name)) > options.max_blocks:
            msg = (
                f"{name} is {value} and max_blocks {options.max_blocks}; make max_blocks the larger"
            )
            raise ConfigError(msg)
    for least, most in (("init_cpu", "max_cpu"), ("init_mem", "max_mem")):
        if getattr(options, least) > getattr(options, most):
            msg = f"{least} is what a pod is sure of and {most} its limit; make {most} the larger"
            raise ConfigError(msg)
    for name in ("extra_requests", "extra_limits", "annotations"):
        found = getattr(options, name)
        if not isinstance(found, Mapping) or not all(
            isinstance(one, str) for pair in found.items() for one in pair
        ):
            msg = f'{name} is {found!r}; write a mapping of text, such as {{"name": "1"}}'
            raise ConfigError(msg)
    if not _LABEL.fullmatch(options.namespace):
        msg = f"namespace is {options.namespace!r}; it must be a name of small letters and digits"
        raise ConfigError(msg)
    if options.image_pull_policy not in (None, *_PULL_POLICIES):
        there = ", ".join(_PULL_POLICIES)
        msg = f"image_pull_policy is {options.image_pull_policy!r}; write one of {there}"
        raise ConfigError(msg)
    if options.run_as_non_root and options.user_id == 0:
        msg = "run_as_non_root is True and user_id 0, which is root; give another user_id"
        raise ConfigError(msg)
    for name, more in (("parallelism", 0.0), ("status_polling_interval", 0.1)):
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= more:
            msg = f"{name} is {value!r}; make it {more:g} or more"
            raise ConfigError(msg)
