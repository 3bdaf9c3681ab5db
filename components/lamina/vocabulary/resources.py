"""What a task asks of the place where it runs."""

from collections.abc import Mapping
from typing import Any

import attrs

from lamina.vocabulary.errors import ConfigError
from lamina.vocabulary.quantities import is_amount, read_bytes

__all__ = ["Resources"]


def _at_least_zero(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not is_amount(value):
        msg = f"a task asks for {value!r:.100} {attribute.name}; it must be a number, 0 or more"
        raise ConfigError(msg)


def _memory(value: float | str | None) -> int:
    return 0 if value is None else read_bytes(value, what="memory")


def _or_zero(value: Any) -> Any:
    return 0 if value is None else value


@attrs.frozen(kw_only=True)
class Resources:
    """Cores, memory, accelerators and nodes that one task needs at once.

    ``None`` or 0 means that the task does not care. ``memory`` is bytes, or text with a unit.
    ``accelerators`` may be a fraction of one. ``ranks`` counts processes over all ``nodes``,
    for a task that is a parallel program. ``extra`` is what a ResourceBinder of your own
    understands.
    """

    cores: float = attrs.field(default=0, converter=_or_zero, validator=_at_least_zero)
    memory: int = attrs.field(default=0, converter=_memory)
    accelerators: float = attrs.field(default=0, converter=_or_zero, validator=_at_least_zero)
    nodes: int = attrs.field(default=0, converter=_or_zero, validator=_at_least_zero)
    ranks: int = attrs.field(default=0, converter=_or_zero, validator=_at_least_zero)
    extra: Mapping[str, str | int | float] = attrs.field(factory=dict)
