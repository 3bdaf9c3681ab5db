"""A name for a process that holds for good, and with which others of its host can watch it."""

import ctypes
import errno
import os
import select
from typing import NamedTuple

from lamina.processes.facts import alive, boot_id, start_time

__all__ = ["Identity", "gone", "has_ended", "own_identity", "watch"]

_PIDFD_OPEN = 434  # <asm-generic/unistd.h>


class Identity(NamedTuple):
    """A process. A pid alone names another one on the next host, or in the next container."""

    boot: str
    """The run of the machine; empty where the system does not tell."""
    namespace: int
    """What pids are counted in; 0 where the system does not tell."""
    pid: int
    started: int
    """Clock ticks since boot; a pid that is used again has another one."""

    @property
    def text(self) -> str:
        """As it travels in a message."""
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.started}"

    @classmethod
    def read(cls, text: str) -> "Identity | None":
        """From a message; None if it is none, as it may come from another version."""
        boot, *numbers = text.split("/")
        if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
            return None
        return cls(boot, *map(int, numbers))


def own_identity() -> Identity:
    """The name of this process."""
    pid = os.getpid()
    return Identity(boot_id(), _namespace(), pid, start_time(pid) or 0)


def watch(process: Identity) -> int | None:
    """A descriptor that becomes readable when the process has ended.

    None where that cannot be seen from here: on another host, in another container, or because
    the system has no such descriptors, as Linux before 5.3.

    Raises:
        ProcessLookupError: It has ended already.
    """
    if not _is_near(process):
        return None
    handle = _handle(process.pid)
    # Looked at afterwards, so that the descriptor is of what was looked at.
    if not alive(process.pid, process.started):
        if handle is not None:
            os.close(handle)
        raise ProcessLookupError(process.pid)
    return handle


def has_ended(process: Identity) -> bool:
    """Whether it is known to have ended; False also where that cannot be seen from here."""
    return _is_near(process) and not alive(process.pid, process.started)


def gone(handle: int, timeout: float = 0.0) -> bool:
    """Whether a process that is watched has ended, waiting for so many seconds at the most."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(1000 * timeout))


def _is_near(process: Identity) -> bool:
    """Whether its pid means the same here."""
    here = (boot_id(), _namespace())
    return all(here) and (process.boot, process.namespace) == here


def _handle(pid: int) -> int | None:
    try:
        # Many builds of Python lack it, for they are made with the headers of an older Linux.
        return getattr(os, "pidfd_open", _pidfd_open)(pid)
    except OSError as error:
        # A container that does not know the call may forbid it.
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return None
        raise


def _pidfd_open(pid: int) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    handle: int = library.syscall(ctypes.c_long(_PIDFD_OPEN), ctypes.c_long(pid), ctypes.c_long(0))
    if handle < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"pidfd_open({pid}): {os.strerror(number)}")
    return handle


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
