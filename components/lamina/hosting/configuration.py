"""The configuration of an endpoint: made in code, or read from a mapping or a file, by name."""

import os
import runpy
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from lamina.events import EventSink
from lamina.executors import Executor
from lamina.plugins import NESTED, ConfigErrors, Mistake, construct
from lamina.vocabulary import ConfigError

__all__ = ["ConfigSource", "EndpointConfig", "read_config"]

# An executor is told its codec by name, because it passes the name on to the workers.
_NESTED = {option: group for option, group in NESTED.items() if option != "codec"}
_EXECUTOR = ("cancel", "close", "label", "launch", "start")
_SINK = ("close", "take")


@attrs.frozen(kw_only=True)
class EndpointConfig:
    """What an endpoint is made of. Making one starts nothing; it can be used any number of times.

    Raises:
        ConfigErrors: Something cannot work; the text names all of it, and where it is.
    """

    executors: Sequence[Executor] = attrs.field()
    """Each with a label of its own; the first is the default."""
    event_sinks: Sequence[EventSink] = attrs.field(default=())
    """Who hears of task and block states."""
    run_dir: Path = attrs.field(default=Path("runinfo"), converter=Path)
    """Each start makes a numbered directory below it."""

    def __attrs_post_init__(self) -> None:
        mistakes = [*_of_executors(self.executors), *_of_sinks(self.event_sinks)]
        if mistakes:
            raise ConfigErrors(mistakes)


ConfigSource: TypeAlias = EndpointConfig | Mapping[str, Any] | str | os.PathLike[str]
"""A configuration, a mapping as TOML gives it, or the path of a file of TOML or Python."""


def read_config(source: ConfigSource) -> EndpointConfig:
    """Make a configuration; plug-ins are given by name: ``{use = "slurm", partition = "debug"}``.

    A file of Python leaves in ``config`` a mapping, or anything that has ``executors``.

    Raises:
        ConfigErrors: Something cannot work; the text names all of it, and where it is.
        ConfigError: The file cannot be read.
    """
    if isinstance(source, EndpointConfig):
        return source
    if isinstance(source, Mapping):
        return _construct(source)
    path = Path(source)
    found = _run_python(path) if path.suffix == ".py" else _read_toml(path)
    if isinstance(found, EndpointConfig):
        return found
    if isinstance(found, Mapping):
        return _construct(found)
    executors = getattr(found, "executors", None)
    if executors is None:
        msg = f"{path}: config is {found!r:.100}; make it a mapping or an EndpointConfig"
        raise ConfigError(msg)
    return EndpointConfig(executors=tuple(executors))


def _read_toml(path: Path) -> Any:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path} cannot be read as TOML: {error}"
        raise ConfigError(msg) from error


def _run_python(path: Path) -> Any:
    try:
        names = runpy.run_path(str(path), run_name=path.stem)
    except (OSError, SyntaxError) as error:
        msg = f"{path} cannot be run: {error}"
        raise ConfigError(msg) from error
    if "config" not in names:
        msg = f"{path} defines no config; assign one: config = EndpointConfig(...)"
        raise ConfigError(msg)
    return names["config"]


def _construct(options: Mapping[str, Any]) -> EndpointConfig:
    known = [field.name for field in attrs.fields(EndpointConfig)]
    mistakes = [
        Mistake(name, f"there is no such table or option; there are: {', '.join(known)}")
        for name in options
        if name not in known
    ]
    made: dict[str, Any] = {}
    for group in ("executors", "event_sinks"):
        if group in options:
            made[group] = tuple(_each(group, options[group], mistakes))
    if "executors" not in options:
        mistakes.append(Mistake("executors", 'is missing; write [[executors]] with use = "htex"'))
    run_dir = options.get("run_dir", "runinfo")
    if not isinstance(run_dir, str | Path):
        mistakes.append(Mistake("run_dir", f"is {run_dir!r}; it must be the path of a directory"))
    if mistakes:
        raise ConfigErrors(mistakes)
    return EndpointConfig(run_dir=run_dir, **made)


def _each(group: str, items: object, mistakes: list[Mistake]) -> Iterator[Any]:
    if not isinstance(items, list | tuple):
        mistakes.append(Mistake(group, f"is no list; write [[{group}]] before each of them"))
        return
    for number, item in enumerate(items):
        try:
            yield construct(group, item, path=f"{group}[{number}]", nested=_NESTED)
        except ConfigErrors as errors:
            mistakes += errors.mistakes


def _of_executors(executors: object) -> Iterator[Mistake]:
    if not isinstance(executors, list | tuple) or not executors:
        yield Mistake("executors", "names none; there must be one at the least")
        return
    seen: dict[str, int] = {}
    for number, one in enumerate(executors):
        where = f"executors[{number}]"
        if isinstance(one, type) or not all(hasattr(one, name) for name in _EXECUTOR):
            yield Mistake(where, f"is {one!r:.100}, which is no executor")
        elif one.label in seen:
            says = f"is {one.label!r}, as that of executors[{seen[one.label]}]; give it another"
            yield Mistake(f"{where}.label", says)
        else:
            seen[one.label] = number


def _of_sinks(sinks: object) -> Iterator[Mistake]:
    if not isinstance(sinks, list | tuple):
        yield Mistake("event_sinks", f"is {sinks!r:.100}; it must be a list")
        return
    for number, one in enumerate(sinks):
        if isinstance(one, type) or not all(hasattr(one, name) for name in _SINK):
            yield Mistake(f"event_sinks[{number}]", f"is {one!r:.100}, which is no event sink")
