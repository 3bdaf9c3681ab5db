"""A name for a process that holds for good, and with which others of its host can watch it."""

import os
import select
from typing import NamedTuple

from lamina.processes.facts import boot_id, read_stat, start_time

__all__ = ["Identity", "gone", "has_ended", "own_identity", "watch"]


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

    None where that cannot be seen from here: on another host, or in another container.

    Raises:
        ProcessLookupError: It has ended already.
    """
    here = (boot_id(), _namespace())
    if not all(here) or (process.boot, process.namespace) != here:
        return None
    handle = os.pidfd_open(process.pid)
    # Looked at afterwards, so that the descriptor is of what was looked at.
    stat = read_stat(process.pid)
    if stat is None or stat.ended or stat.started != process.started:
        os.close(handle)
        raise ProcessLookupError(process.pid)
    return handle


def has_ended(process: Identity) -> bool:
    """Whether it is known to have ended; False also where that cannot be seen from here."""
    try:
        handle = watch(process)
    except ProcessLookupError:
        return True
    if handle is not None:
        os.close(handle)
    return False


def gone(handle: int, timeout: float = 0.0) -> bool:
    """Whether a process that is watched has ended, waiting for so many seconds at the most."""
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(1000 * timeout))


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
