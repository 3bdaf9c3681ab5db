"""Plug-ins that work in another process: written down as a place and options, and made there.

No pickle: the interchange makes what the program names, from options that msgpack can carry.
What workers call is opaque bytes here, as everywhere between.
"""

import base64
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import attrs

from lamina.vocabulary import ConfigError

__all__ = ["Written", "WrittenCall", "make_plugin", "write_plugin"]

Written: TypeAlias = tuple[str, dict[str, Any]]
"""``module:name`` and the options that it is called with."""

_WHOLE = range(-(2**63), 2**64)  # what msgpack has room for


class WrittenCall(NamedTuple):
    """A call for every worker, as it stands in the configuration of managers."""

    digest: bytes | None
    form: bytes | None
    """The function with this digest."""
    buffers: Sequence[bytes]

    def as_json(self) -> dict[str, Any]:
        """What JSON can carry."""
        form = None if self.form is None else _as_text(self.form)
        digest = None if self.digest is None else self.digest.hex()
        return {"digest": digest, "form": form, "buffers": [*map(_as_text, self.buffers)]}

    @staticmethod
    def read(said: Mapping[str, Any]) -> "WrittenCall":
        """What ``as_json`` has made, read again."""
        digest = None if said["digest"] is None else bytes.fromhex(said["digest"])
        form = None if said["form"] is None else base64.b64decode(said["form"])
        return WrittenCall(digest, form, [*map(base64.b64decode, said["buffers"])])


def write_plugin(plugin: object, what: str) -> Written:
    """The place of an object's class, and the options that make another one like it.

    Args:
        plugin: An object of an attrs class or a dataclass, or of one that keeps no state.
        what: What messages call it.

    Raises:
        ConfigError: It cannot be written so; the text says why.
    """
    kind = type(plugin)
    module, name = kind.__module__, kind.__qualname__
    refused = f"{what} is {plugin!r:.100}, which works in another process, but "
    if isinstance(plugin, type):
        msg = f"{what} is the class {plugin.__name__}; write {plugin.__name__}(...)"
        raise ConfigError(msg)
    if module == "__main__" or "<locals>" in name:
        msg = f"{refused}{name} is no class of a module that can be imported there"
        raise ConfigError(msg)
    if _found(sys.modules.get(module), name) is not kind:
        msg = f"{refused}{module} has no {name}, or another one"
        raise ConfigError(msg)
    options = _options(plugin)
    if options is None:
        msg = f"{refused}nobody can tell its options; make it an attrs class or a dataclass"
        raise ConfigError(msg)
    for option, value in options.items():
        if not _can_travel(value):
            msg = (
                f"{refused}its {option} is {value!r:.100}; what can travel is numbers, text, "
                "bytes, lists and mappings of these"
            )
            raise ConfigError(msg)
    return f"{module}:{name}", options


def make_plugin(written: Written) -> Any:
    """Make what was written.

    Raises:
        ImportError: Its module cannot be imported here.
        AttributeError: Its module is another one here.
        Exception: Whatever its class raises.
    """
    place, options = written
    module, _, name = place.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found(**options)


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _found(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def _options(plugin: Any) -> dict[str, Any] | None:
    kind = type(plugin)
    if attrs.has(kind):
        return {
            field.alias: getattr(plugin, field.name) for field in attrs.fields(kind) if field.init
        }
    if dataclasses.is_dataclass(plugin):
        return {
            field.name: getattr(plugin, field.name)
            for field in dataclasses.fields(plugin)
            if field.init
        }
    slots = any(getattr(each, "__slots__", ()) for each in kind.__mro__)
    return None if slots or getattr(plugin, "__dict__", {}) else {}


def _can_travel(value: object) -> bool:
    if value is None or isinstance(value, bool | float | str | bytes):
        return True
    if isinstance(value, int):
        return int(value) in _WHOLE  # of its own type: a range looks for others one by one
    if isinstance(value, list | tuple):
        return all(_can_travel(item) for item in value)
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and _can_travel(item) for key, item in value.items()
    )
