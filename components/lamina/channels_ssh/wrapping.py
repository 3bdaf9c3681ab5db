"""What is said to a host's shell, and what its answer means.

The login shell may print what it likes before our command runs, so both streams are read from a
mark on. The line of the mark in stderr names the process group, which is what has to be ended
when time is over; a last line in stderr says how the command ended, without which it did not.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Ended", "after_mark", "ending_of", "group_of", "killing", "wrapped"]

SIGNALLED = 128  # a shell's word for a signal is this and its number
LAST_SIGNAL = 64


class Ended(NamedTuple):
    """How a command ended, and what it had said to stderr."""

    status: int
    stderr: bytes


def wrapped(command: Sequence[str], env: Mapping[str, str], mark: str) -> str:
    """The line that runs a command in the process group of its session, between marks."""
    words = ["env", *(f"{name}={value}" for name, value in env.items()), *command]
    script = (
        f'echo {mark}; echo "{mark} $$" >&2; {shlex.join(words)}; printf "\\n{mark} %s\\n" "$?" >&2'
    )
    return f"exec /bin/sh -c {shlex.quote(script)}"


def killing(group: int) -> str:
    """The line that ends a process group, and what of its session has left it."""
    return f"exec /bin/sh -c 'kill -KILL -{group}; pkill -KILL -s {group}; exit 0' 2>/dev/null"


def after_mark(stdout: bytes, mark: str) -> bytes:
    """What the command itself wrote; nothing where it never began."""
    return stdout.partition(f"{mark}\n".encode())[2]


def group_of(stderr: bytes, mark: str) -> int | None:
    """The command's process group; None while it has not begun."""
    found = re.search(rb"%s (\d+)\n" % mark.encode(), stderr)
    return int(found[1]) if found else None


def ending_of(stderr: bytes, mark: str) -> Ended | None:
    """How it ended; None where it has not. A shell tells a signal as 128 and its number."""
    began = re.search(rb"%s \d+\n" % mark.encode(), stderr)
    if began is None:
        return None
    said = stderr[began.end() :]
    ended = re.search(rb"\n%s (\d+)\n" % mark.encode(), said)
    if ended is None:
        return None
    status = int(ended[1])
    if SIGNALLED < status <= SIGNALLED + LAST_SIGNAL:
        status = SIGNALLED - status
    # What a process that outlives the command writes afterwards is kept, too.
    return Ended(status, said[: ended.start()] + said[ended.end() :])
