"""What runs on the worker for a bash app: the function gives a command line, and bash runs it."""

import codecs
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from lamina.app_bodies.errors import (
    AppBadFormatting,
    AppException,
    BashAppNoReturn,
    BashExitFailure,
    MissingOutputs,
)
from lamina.app_bodies.streams import StdStream, open_stream, tail_of
from lamina.vocabulary import File, FileNotLocalError, TaskWalltime

__all__ = ["BashBody", "command_from", "descendants", "missing_outputs", "run_command"]

_BASH = "/bin/bash"
# What bash -c runs last takes its place, and its being a leader of processes with it: `setsid
# program` would leave at once, and the task would be over. So something comes after it.
_RUN = 'eval "shift; $1"\nexit $?'


@dataclass(eq=False, slots=True)
class BashBody:
    """One call of a bash app. Its result is 0, the status of a command that went well."""

    body: Callable[..., Any]
    name: str
    dropped: frozenset[str] = frozenset()
    stdout: StdStream | None = None
    stderr: StdStream | None = None
    outputs: tuple[File, ...] = ()
    walltime: float | None = None
    """Seconds; the command and all that it started are killed then."""

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        """Get the command line, run it, and look for what it has declared."""
        for keyword in self.dropped:
            kwargs.pop(keyword, None)
        command = command_from(self.name, self.body, args, kwargs)
        run_command(self.name, command, self.stdout, self.stderr, self.walltime)
        if missing := missing_outputs(self.outputs):
            raise MissingOutputs(self.name, missing)
        return 0


def command_from(
    name: str, body: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Ask the user's function for the command line.

    Raises:
        AppBadFormatting: It raised what formatting raises.
        BashAppNoReturn: It returned something that is no text.
        Exception: Whatever else the function raises.
    """
    try:
        command = body(*args, **kwargs)
    except (AttributeError, IndexError, KeyError) as error:
        raise AppBadFormatting(name, f"{type(error).__name__}: {error}") from error
    if not isinstance(command, str):
        what = "nothing" if command is None else f"a {type(command).__name__}, {command!r:.200}"
        raise BashAppNoReturn(name, what)
    return command


def run_command(
    name: str,
    command: str,
    stdout: StdStream | None = None,
    stderr: StdStream | None = None,
    walltime: float | None = None,
) -> None:
    """Run a command line with bash, in a session of its own, where this process is.

    Raises:
        BashExitFailure: It ended with another status than 0.
        TaskWalltime: It took longer than ``walltime``; all that it started was killed.
        BadStdStreamFile: A stream cannot be opened.
        AppException: bash cannot be started.
    """
    with contextlib.ExitStack() as stack:
        out, err = _open_both(stack, stdout, stderr)
        begin = 0 if err is None else os.fstat(err.fileno()).st_size
        said: IO[bytes] | None = None
        if err is None:
            said = stack.enter_context(tempfile.TemporaryFile())
        try:
            process = subprocess.Popen(
                [_BASH, "-c", _RUN, _BASH, command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said if err is None else err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            msg = f"bash app {name} could not start /bin/bash: {error}"
            raise AppException(msg) from error
        try:
            status = process.wait(walltime)
        except subprocess.TimeoutExpired:
            msg = f"{name} ran for longer than its walltime of {walltime:g} s, and was killed"
            raise TaskWalltime(msg) from None
        finally:
            if process.returncode is None:  # too late, or we are interrupted
                _kill_all_of(process)
            if said is not None:
                _pass_on(said)
        if status != 0:
            raise BashExitFailure(name, status, _last_lines(said, stderr, begin))


def _open_both(
    stack: contextlib.ExitStack, stdout: StdStream | None, stderr: StdStream | None
) -> tuple[IO[Any] | None, IO[Any] | None]:
    """Open both streams; one that goes where the other goes shares its file."""
    out = None if stdout is None else stack.enter_context(open_stream(stdout, "stdout"))
    if stderr is None or (stdout is not None and stdout.path == stderr.path):
        return out, None if stderr is None else out
    return out, stack.enter_context(open_stream(stderr, "stderr"))


def _pass_on(said: IO[bytes]) -> None:
    """Write what a command wrote to its stderr to ours."""
    said.seek(0)
    text = codecs.getreader("utf-8")(said, "replace")  # which cuts through no character
    try:
        while piece := text.read(2**16):
            sys.stderr.write(piece)
        sys.stderr.flush()
    except (OSError, ValueError):  # ours has been closed: nobody wants to see it
        pass


def _last_lines(said: IO[bytes] | None, stderr: StdStream | None, begin: int) -> str:
    """What the command wrote to its stderr at last; a file may hold what others wrote before."""
    if said is not None:
        return tail_of(said)
    try:
        with open(stderr.path if stderr else os.devnull, "rb") as file:
            return tail_of(file, begin)
    except OSError as error:
        return f"(it cannot be read: {error})"


def _kill_all_of(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process, its group, and what it started that has left the group."""
    below = list(descendants(process.pid))
    for send, number in ((os.killpg, process.pid), *((os.kill, pid) for pid in below)):
        try:
            send(number, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it has ended, or is another user's by now
    process.wait()


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):  # it has ended since
            continue
        children.setdefault(parent, []).append(int(entry))
    todo = [pid]
    while todo:
        found = children.get(todo.pop(), ())
        yield from found
        todo.extend(found)


def missing_outputs(outputs: tuple[File, ...]) -> list[str]:
    """The declared files that do not exist; those that have no path here are not looked for."""
    missing = []
    for file in outputs:
        try:
            path = file.filepath
        except FileNotLocalError:
            continue
        if not os.path.exists(path):
            missing.append(path)
    return missing
