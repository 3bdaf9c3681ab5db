"""Where a task's stdout and stderr go."""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from lamina.app_bodies.errors import BadStdStreamFile
from lamina.vocabulary import File

__all__ = ["StdStream", "open_stream", "read_stream", "redirected", "tail_of"]

_MODE = re.compile(r"(?=[^wax]*[wax][^wax]*$)[waxbt+]{1,3}")
_TAIL_BYTES = 4096
_TAIL_LINES = 10


class StdStream(NamedTuple):
    """A file for a standard stream, and the mode in which to open it.

    ``path`` is a URL where staging has yet to say the path.
    """

    path: str
    mode: str = "a+"


def read_stream(spec: object, stream: str) -> StdStream:
    """Read what a user gave as ``stdout`` or ``stderr``: a path, ``(path, mode)`` or a File.

    Raises:
        BadStdStreamFile: It is none of them.
    """
    mode = "a+"
    if isinstance(spec, tuple):
        if len(spec) != 2:
            why = f"is a tuple of {len(spec)}; write (path, mode)"
            raise BadStdStreamFile(stream, why)
        spec, mode = spec
        if not isinstance(mode, str) or not _MODE.fullmatch(mode):
            why = f'has the mode {mode!r}; write one that open() takes for writing, as "w" or "a"'
            raise BadStdStreamFile(stream, why)
    elif isinstance(spec, File):
        mode = "w"
        if spec.scheme != "file":
            return StdStream(spec.url, mode)
    if not isinstance(spec, str | os.PathLike):
        why = f"is {spec!r}; write a path, (path, mode), a File or AUTO_LOGNAME"
        raise BadStdStreamFile(stream, why)
    path = os.fspath(spec)
    if not isinstance(path, str) or not path:
        why = f"has the path {path!r}; it must be text, and not empty"
        raise BadStdStreamFile(stream, why)
    return StdStream(path, mode)


def open_stream(where: StdStream, stream: str) -> IO[Any]:
    """Open it for writing; its directory is made if need be.

    Raises:
        BadStdStreamFile: That cannot be done, and the text says why.
    """
    try:
        if above := os.path.dirname(where.path):
            os.makedirs(above, exist_ok=True)
        return open(where.path, where.mode)  # the caller closes it
    except (OSError, ValueError) as error:
        why = f"cannot be opened as {where.path!r} in mode {where.mode!r}: {error}"
        raise BadStdStreamFile(stream, why) from error


def tail_of(file: IO[bytes], begin: int = 0) -> str:
    """The last lines of a file, of those that begin no sooner."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(begin, size - _TAIL_BYTES))
    lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


@contextlib.contextmanager
def redirected(stdout: StdStream | None, stderr: StdStream | None) -> Iterator[None]:
    """Send what this process writes to its standard streams elsewhere, for a while.

    Raises:
        BadStdStreamFile: The process is shared with others, so its streams are not a task's own.
    """
    if threading.current_thread() is not threading.main_thread():
        stream = "stdout" if stdout else "stderr"
        why = (
            "of a python_app cannot be redirected on a thread, which shares it with others. "
            f"Declare {stream} as a parameter and write to it, or use a HighThroughputExecutor."
        )
        raise BadStdStreamFile(stream, why)
    with contextlib.ExitStack() as stack:
        opened: dict[str, IO[Any]] = {}  # two streams of one file share it, whatever their modes
        for number, where, ours in ((1, stdout, sys.stdout), (2, stderr, sys.stderr)):
            if where is None:
                continue
            name = "stdout" if number == 1 else "stderr"
            if where.path not in opened:
                opened[where.path] = stack.enter_context(open_stream(where, name))
            ours.flush()
            kept = os.dup(number)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, number)
            stack.callback(ours.flush)
            os.dup2(opened[where.path].fileno(), number)
        yield
