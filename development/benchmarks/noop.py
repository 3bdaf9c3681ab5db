"""What the benchmark runs; a module, so that every peer can import it."""

import time


def noop() -> None:
    """Do nothing."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def hold(seconds: float) -> None:
    """Keep a worker busy."""
    time.sleep(seconds)
