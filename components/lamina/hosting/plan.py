"""The plan of a whole configuration, as text."""

from typing import Protocol, runtime_checkable

from lamina.hosting.configuration import EndpointConfig
from lamina.plugins import ConfigErrors, Mistake

__all__ = ["render_plan"]


@runtime_checkable
class _Plans(Protocol):
    def plan(self) -> object: ...


def render_plan(config: EndpointConfig) -> str:
    """What each executor would do, one after the other; nothing is started or contacted.

    Raises:
        ConfigErrors: Options contradict each other; it has the mistakes of all executors.
    """
    parts: list[str] = []
    mistakes: list[Mistake] = []
    for executor in config.executors:
        if not isinstance(executor, _Plans):
            parts.append(f"executor {executor.label!r}\n  it runs in this program, without blocks")
            continue
        try:
            parts.append(str(executor.plan()))
        except ConfigErrors as errors:
            mistakes += errors.mistakes
    if mistakes:
        raise ConfigErrors(mistakes)
    return "\n\n".join(parts)
