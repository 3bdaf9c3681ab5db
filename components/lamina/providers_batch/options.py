"""The checks of options that all batch systems have, with the value that would work."""

from collections.abc import Callable
from types import UnionType
from typing import Any, Protocol, TypeAlias

import attrs

from lamina.launchers import Launcher, SingleNodeLauncher
from lamina.vocabulary import ConfigError, read_gibibytes, read_seconds

__all__ = [
    "at_least",
    "check_blocks",
    "check_reach",
    "cmd_timeout",
    "mem_per_node",
    "mem_per_slot",
    "missing_after",
    "one_line",
    "status_polling_interval",
    "text",
    "walltime",
    "yes_or_no",
]

Check: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def at_least(
    least: float, kinds: type[Any] | UnionType = int | float, *, optional: bool = False
) -> Check:
    """A number, with ``optional`` also None."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if optional and value is None:
            return
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            whole = " as a whole number" if kinds is int else ""
            leave = ", or leave it out" if optional else ""
            msg = f"{attribute.name} is {value!r}; make it {least:g} or more{whole}{leave}"
            raise ConfigError(msg)

    return check


def text(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Text of any number of lines."""
    if not isinstance(value, str):
        msg = f"{attribute.name} is {value!r}; it must be text"
        raise ConfigError(msg)


def one_line(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """None, or text that is one word or a few of a directive."""
    if value is None:
        return
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        msg = f"{attribute.name} is {value!r}; write one line of text, or leave it out"
        raise ConfigError(msg)


def yes_or_no(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool):
        msg = f"{attribute.name} is {value!r}; write True or False"
        raise ConfigError(msg)


# Converters of attrs are named functions, so that type checkers see what they take.


def walltime(value: float | str | None) -> float | None:
    """Seconds, or text such as ``"HH:MM:SS"``; None for what the batch system has set."""
    return None if value is None else read_seconds(value, what="walltime")


def cmd_timeout(value: float | str) -> float:
    """Seconds, or text with a unit."""
    return read_seconds(value, what="cmd_timeout")


def missing_after(value: float | str) -> float:
    """Seconds, or text with a unit."""
    return read_seconds(value, what="missing_after")


def status_polling_interval(value: float | str) -> float:
    """Seconds, or text with a unit."""
    return read_seconds(value, what="status_polling_interval")


def mem_per_node(value: float | str | None) -> int | None:
    """Bytes of a number of GiB, as users know it, or of text with a unit."""
    return None if value is None else read_gibibytes(value, what="mem_per_node")


def mem_per_slot(value: float | str | None) -> int | None:
    """Bytes of a number of GiB, as users know it, or of text with a unit."""
    return None if value is None else read_gibibytes(value, what="mem_per_slot")


class BlockOptions(Protocol):
    """What says how many blocks there may be, and what runs on them."""

    @property
    def nodes_per_block(self) -> int:
        """Nodes in each block."""
        ...

    @property
    def init_blocks(self) -> int:
        """Blocks to ask for at once."""
        ...

    @property
    def min_blocks(self) -> int:
        """Blocks to keep, with work or without."""
        ...

    @property
    def max_blocks(self) -> int:
        """Never more blocks than this at a time."""
        ...

    @property
    def launcher(self) -> Launcher:
        """What starts the block's command on each node."""
        ...


def check_blocks(options: BlockOptions) -> None:
    """What holds between several options.

    Raises:
        ConfigError: It does not; the text says what would.
    """
    if options.min_blocks > options.max_blocks:
        msg = (
            f"min_blocks is {options.min_blocks} and max_blocks {options.max_blocks}; "
            "make max_blocks the larger"
        )
        raise ConfigError(msg)
    if options.init_blocks > options.max_blocks:
        msg = (
            f"init_blocks is {options.init_blocks} and max_blocks {options.max_blocks}; "
            "make max_blocks the larger"
        )
        raise ConfigError(msg)
    if isinstance(options.launcher, type) or not callable(options.launcher):
        msg = f"launcher is {options.launcher!r}; write one with its options: SimpleLauncher()"
        raise ConfigError(msg)


def check_reach(options: BlockOptions, reaching: str = "MpiExecLauncher()") -> None:
    """That managers start on all nodes of a block, where its script runs on the first only.

    Raises:
        ConfigError: They would all start on the first; the text names a launcher that reaches
            the others.
    """
    if options.nodes_per_block > 1 and isinstance(options.launcher, SingleNodeLauncher):
        msg = (
            f"nodes_per_block is {options.nodes_per_block}, and SingleNodeLauncher would start "
            f"the managers of all of them on the first; write launcher={reaching}, or "
            "SimpleLauncher() where one manager is to have all nodes"
        )
        raise ConfigError(msg)
