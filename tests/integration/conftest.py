"""What tests of faults measure, and where it is shown: at the end of the run, one line for each."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

PROMISED = 2.0
"""Seconds beyond the work left until everything has resolved, for the death of a process here."""
NOISE = 4.0
"""Seconds that are borne beyond what is promised.

Two cores run the tests, the program, and all processes of the executor, and on a shared machine
each of them may wait for a core. What a quiet machine needs is in docs/reliability.md.
"""

Measure: TypeAlias = Callable[..., None]


@pytest.fixture
def measure(record_property: Callable[[str, object], None]) -> Measure:
    """Call it when all has resolved: ``measure(name, since, left=0.0, bound=PROMISED)``.

    ``since`` is the moment of the fault on the monotonic clock, ``left`` the seconds of work that
    there were then, and ``bound`` is in seconds beyond that.
    """

    def note(name: str, since: float, left: float = 0.0, bound: float = PROMISED) -> None:
        took = time.monotonic() - since
        beyond = took - left
        line = (
            f"fault {name}: resolved in {took:.2f} s, work left {left:.2f} s, "
            f"beyond {max(0.0, beyond):.2f} s (bound {bound:g} s)"
        )
        record_property("fault", line)
        assert beyond <= bound + NOISE, line

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured."""
    lines = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "fault" and report.when == "call"
    ]
    if lines:
        terminalreporter.section("faults, measured")
        for line in lines:
            terminalreporter.line(line)
