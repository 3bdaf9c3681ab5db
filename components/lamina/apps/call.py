"""Reading the special keywords of one call: everything about it that is not plain."""

import enum
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from lamina.app_bodies import BadStdStreamFile, StdStream, read_stream
from lamina.apps.futures import AppFuture, DataFuture, StreamSpec
from lamina.apps.options import read_specification
from lamina.apps.shape import SPECIAL, Shape
from lamina.kernel import Kernel
from lamina.vocabulary import ConfigError, File, Resources, TaskId, UsageError, read_seconds

__all__ = ["AUTO_LOGNAME", "AutoLogname", "SpecialCall", "read_special_call"]


class AutoLogname(enum.Enum):
    """The type of AUTO_LOGNAME."""

    AUTO_LOGNAME = "AUTO_LOGNAME"

    def __repr__(self) -> str:
        return self.value


AUTO_LOGNAME: Final[Literal[AutoLogname.AUTO_LOGNAME]] = AutoLogname.AUTO_LOGNAME
"""Given as stdout or stderr: a file below the run directory, named for the task."""


@attrs.define(eq=False)
class SpecialCall:
    """One call with special keywords, read."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    """What the task carries: what reaches the function, and ``inputs``, whose futures count."""
    task: TaskId | None = None
    """Its number, where a name depends on it."""
    dropped: frozenset[str] = frozenset()
    """The keywords that do not reach the function."""
    stdout: StdStream | None = None
    stderr: StdStream | None = None
    shown: tuple[StreamSpec | File, StreamSpec | File] = (None, None)
    outputs: tuple[File, ...] = ()
    walltime: float | None = None
    resources: Resources | None = None
    expected: float | None = None
    not_counted: frozenset[str] = frozenset()
    """Keywords that do not count for the memo key."""
    mark: str = ""
    """What else counts for it."""

    @property
    def written(self) -> tuple[File, ...]:
        """All files that the task writes: its outputs, and streams that were given as files."""
        return (*self.outputs, *(it for it in self.shown if isinstance(it, File)))

    def data_futures(self, future: AppFuture[Any]) -> tuple[DataFuture, ...]:
        """Give the future its outputs and streams; they are to follow it once it is submitted."""
        made = tuple(DataFuture(future, file) for file in self.outputs)
        if made:
            future._outputs = made
        streams = [DataFuture(future, it) if isinstance(it, File) else it for it in self.shown]
        if self.stdout is not None or self.stderr is not None:
            future._streams = (streams[0], streams[1])
        return (*made, *(it for it in streams if isinstance(it, DataFuture)))


def read_special_call(
    shape: Shape, kernel: Kernel, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> SpecialCall:
    """Read one call.

    Raises:
        TypeError: The arguments do not fit the function.
        UsageError: A special keyword has a value that cannot work.
    """
    own = {key: value for key, value in kwargs.items() if key not in SPECIAL}
    given = {key: kwargs[key] for key in SPECIAL & kwargs.keys()}
    by_position = shape.at_position(args) if shape.declared else {}
    reaching = {key: value for key, value in given.items() if key in shape.declared}
    shape.check(args, {**own, **reaching})
    values = {**shape.defaults, **by_position, **given}
    call = SpecialCall(args, own, dropped=frozenset(given) - shape.declared)
    _read_files(call, values, name)
    _read_limits(call, values)
    _read_streams(call, values, kernel, name)
    if by_position:
        call.args = shape.placed(args, values)
    for key in shape.by_keyword & (given.keys() | shape.defaults.keys()) - by_position.keys():
        call.kwargs[key] = values[key]
    if "inputs" in given:
        call.kwargs["inputs"] = values["inputs"]
    call.dropped &= frozenset(call.kwargs)
    return call


def _read_files(call: SpecialCall, values: dict[str, Any], name: str) -> None:
    for key in ("inputs", "outputs"):
        value = values.get(key)
        if value is not None and not isinstance(value, list | tuple):
            msg = f"{key} of {name} is {value!r:.100}; write a list, as {key}=[...]"
            raise UsageError(msg)
    if outputs := values.get("outputs"):
        wrong = [item for item in outputs if not isinstance(item, File | DataFuture)]
        if wrong:
            msg = f"outputs of {name} holds {wrong[0]!r:.100}; each must be a File, as File(path)"
            raise UsageError(msg)
        files = [item.file_obj if isinstance(item, DataFuture) else item for item in outputs]
        values["outputs"] = files
        call.outputs = tuple(files)


def _read_limits(call: SpecialCall, values: Mapping[str, Any]) -> None:
    walltime = values.get("walltime")
    if walltime is not None:
        if isinstance(walltime, Future) or not isinstance(walltime, int | float | str):
            msg = f"walltime is {walltime!r}; write seconds, or text with a unit"
            raise ConfigError(msg)
        call.walltime = read_seconds(walltime, what="walltime")
    specification = values.get("parsl_resource_specification")
    if specification:
        call.resources, call.expected = read_specification(specification)


def _read_streams(call: SpecialCall, values: dict[str, Any], kernel: Kernel, name: str) -> None:
    read: list[StdStream | None] = []
    shown: list[StreamSpec | File] = []
    for stream in ("stdout", "stderr"):
        spec = values.get(stream)
        if spec is None:
            read.append(None)
            shown.append(None)
            continue
        automatic = spec is AUTO_LOGNAME
        if automatic:
            if call.task is None:
                call.task = kernel.new_task_id()
            spec = values[stream] = _automatic(kernel, call.task, name, stream)
            call.not_counted |= {stream}
        elif isinstance(spec, Future):
            raise BadStdStreamFile(stream, "is a future; it must be known when the app is called")
        where = read_stream(spec, stream)
        read.append(where)
        if not automatic:
            call.mark += f"\0{stream}={where.path}"
        if isinstance(spec, File):
            shown.append(spec)
        else:
            shown.append((where.path, where.mode) if isinstance(spec, tuple) else where.path)
    call.stdout, call.stderr = read
    call.shown = (shown[0], shown[1])


def _automatic(kernel: Kernel, task: TaskId, name: str, stream: str) -> str:
    autopath = getattr(getattr(kernel, "config", None), "std_autopath", None)
    if autopath is not None:
        return str(autopath(task, name, stream))
    place = Path(kernel.run_dir) / "task_logs" / f"{task // 10000:04d}"
    return str(place / f"task_{task:04d}_{name}.{stream}")
