"""Tasks that use memory. Workers import this by name, so it imports next to nothing."""

import multiprocessing
import subprocess
import sys
import time


def take(size: int, seconds: float) -> int:
    """Use so many bytes for so long."""
    kept = bytearray(b"x") * size
    time.sleep(seconds)
    return len(kept)


def take_below(size: int) -> int:
    """Have a process of another program use so many bytes."""
    code = f"import time; kept = bytearray(b'x') * {size}; time.sleep(1000)"
    return subprocess.run([sys.executable, "-c", code]).returncode


def take_in_parts(size: int) -> None:
    """Have four children use a part each, of which none is too much."""
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=take, args=(size // 4, 1000.0)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def share(size: int, seconds: float) -> int:
    """Use so many bytes, which four children can see as well."""
    kept = bytearray(b"x") * size
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=time.sleep, args=(seconds,)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return len(kept)


def hoard(size: int) -> None:
    """Keep so many bytes for as long as the worker lives."""
    sys.hoarded = bytearray(b"x") * size  # type: ignore[attr-defined]
