"""What tasks of the tests do. Workers import this by name, so it imports next to nothing."""

import ctypes
import logging
import os
import signal
import subprocess
import threading
import time
from typing import Any

TAKES = 0.05  # seconds


def note(log: str, number: int, takes: float = TAKES) -> int:
    """Leave a line that tells of this run, take a while, and return the number."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{number}\n".encode())
    os.close(handle)
    time.sleep(takes)
    return number


def double(number: int) -> int:
    return 2 * number


def far_below(marker: str) -> int:
    """Start a shell with this on its command line, and below it a sleep in another session."""
    child = subprocess.Popen(["/bin/bash", "-c", f"setsid sleep 1000 # {marker}\ntrue"])
    child.wait()
    return child.pid


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    os._exit(3)


def crash() -> None:
    ctypes.string_at(0)


def deadly_result() -> Any:
    return Deadly()


class Deadly:
    """It kills whoever pickles it."""

    def __reduce__(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
        return Deadly, ()


def close_all_descriptors() -> None:
    os.closerange(3, 1000)


def hold_lock_of_logging() -> int:
    """Leave a thread behind that has the lock of logging, and never gives it back."""
    held = threading.Event()

    def hold() -> None:
        logging._acquireLock() if hasattr(logging, "_acquireLock") else logging._lock.acquire()
        held.set()
        time.sleep(1000)

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    return os.getpid()


def log_a_line() -> tuple[int, int]:
    """Who we are, and how many threads there are here; it needs the lock of logging."""
    logging.getLogger("of-a-task").warning("here")
    return os.getpid(), len(os.listdir("/proc/self/task"))


class NotPickled:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


class NotUnpickled:
    """Its bytes can be written, and read nowhere but where they were."""

    def __reduce__(self) -> Any:
        return only_in, (os.getpid(),)


def only_in(pid: int) -> str:
    if os.getpid() != pid:
        raise ValueError("not here")
    return "here"


class Odd(Exception):
    def __init__(self) -> None:
        super().__init__()
        self.lock = NotPickled()


def raise_odd() -> None:
    raise Odd


_times_prepared = 0


def prepare(log: str) -> None:
    global _times_prepared
    _times_prepared += 1
    note(log, os.getpid(), 0.0)


def prepared() -> tuple[int, int]:
    """Who we are, and how often we were prepared."""
    return os.getpid(), _times_prepared


def fail_to_prepare(why: str) -> None:
    raise ValueError(why)


class Noted:
    """Leaves a line with the process that unpickles it."""

    def __init__(self, log: str, content: bytes) -> None:
        self.log, self.content = log, content

    def __reduce__(self) -> Any:
        return _noted, (self.log, self.content)


def _noted(log: str, content: bytes) -> Noted:
    note(log, os.getpid(), 0.0)
    return Noted(log, content)


def size_of(given: list[Noted], number: int) -> int:
    time.sleep(0.01)
    return len(given[0].content) + number


def first_of(given: dict[str, list[Any]]) -> Any:
    return given["a"][0]


def wait_for_file(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.01)
