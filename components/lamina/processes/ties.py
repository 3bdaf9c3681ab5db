"""What binds a process to others: who gets its orphans, and with whom it dies."""

import ctypes
import os
import signal

__all__ = ["become_subreaper", "die_with_parent"]

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Let everything below this process whose parent ends become a child of this one.

    Raises:
        OSError: The system does not know how; again will not help.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: signal.Signals = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Be sent this signal when the thread that started this process ends.

    It is the thread that counts, not the process: the starter must live as long as its process.
    ``parent`` is the parent's pid, if it is known: when it has ended before the call, the signal
    comes at once. A new program with other rights forgets the tie, and so does a fork.

    Raises:
        OSError: The system does not know how; again will not help.
    """
    _prctl(_PR_SET_PDEATHSIG, int(number))
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), number)


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
