"""What a task asks of the place where it runs."""

from collections.abc import Mapping
from typing import Any

import attrs

from lamina.vocabulary.errors import ConfigError
from lamina.vocabulary.quantities import read_bytes

__all__ = ["Resources"]


def _at_least_zero(_: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    if not value >= 0:
        msg = f"a task asks for {value!r} {attribute.name}; it must be 0 or more"
        raise ConfigError(msg)


def _memory(value: float | str) -> int:
    return read_bytes(value, what="memory")


@attrs.frozen(kw_only=True)
class Resources:
    """Cores, memory, accelerators and nodes that one task needs at once.

    ``None`` or 0 means that the task does not care. ``memory`` is bytes, or text with a unit.
    ``accelerators`` may be a fraction of one. ``ranks`` counts processes over all ``nodes``,
    for a task that is a parallel program. ``extra`` is what a ResourceBinder of your own
    understands.
    """

    cores: float = attrs.field(default=0, validator=_at_least_zero)
    memory: int = attrs.field(default=0, converter=_memory)
    accelerators: float = attrs.field(default=0, validator=_at_least_zero)
    nodes: int = attrs.field(default=0, validator=_at_least_zero)
    ranks: int = attrs.field(default=0, validator=_at_least_zero)
    extra: Mapping[str, str | int | float] = attrs.field(factory=dict)
