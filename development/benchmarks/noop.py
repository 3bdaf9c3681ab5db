"""What the benchmark runs; a module, so that every worker of every system can import it."""

import time
from pathlib import Path

GATE_PERIOD = 0.01  # seconds
GATE_PATIENCE = 120.0  # seconds; nobody waits for a benchmark that has died


def noop() -> None:
    """Do nothing."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def echo(data: bytes) -> bytes:
    """Send it back."""
    return data


def same(number: int) -> int:
    """Do nothing, but differently for each number: no two calls are equal."""
    return number


def hold(seconds: float) -> None:
    """Keep a worker busy."""
    time.sleep(seconds)


def gate(folder: str, number: int) -> None:
    """Say that this one has begun, and keep a worker busy until the gate is opened."""
    Path(folder, f"began-{number}").touch()
    until = time.monotonic() + GATE_PATIENCE
    while not Path(folder, "open").exists() and time.monotonic() < until:
        time.sleep(GATE_PERIOD)
