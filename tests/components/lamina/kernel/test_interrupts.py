import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lamina.kernel.interrupts import Held, hold

WAIT = 10  # seconds


@pytest.fixture
def came() -> Iterator[list[int]]:
    """The signals that have reached the handler of SIGINT."""
    numbers: list[int] = []

    def note(number: int, _: Any) -> None:
        numbers.append(number)

    before = signal.signal(signal.SIGINT, note)
    yield numbers
    signal.signal(signal.SIGINT, before)


def test_the_signal_comes_when_it_is_let_through(came: list[int]) -> None:
    handler = signal.getsignal(signal.SIGINT)
    held = hold()
    assert held is not None
    signal.raise_signal(signal.SIGINT)
    assert came == []
    held.release()
    assert came == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is handler
    signal.raise_signal(signal.SIGINT)
    assert len(came) == 2


def test_the_second_signal_is_not_put_off(came: list[int]) -> None:
    held = hold()
    assert held is not None
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert len(came) == 1
    held.release()


def test_where_it_interrupts_nothing_or_is_held_already_nothing_is_done(came: list[int]) -> None:
    held = hold()
    assert isinstance(held, Held)
    assert hold() is None
    held.release()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert hold() is None
    signal.signal(signal.SIGINT, before)
    elsewhere: list[Held | None] = []
    thread = threading.Thread(target=lambda: elsewhere.append(hold()))
    thread.start()
    thread.join(WAIT)
    assert elsewhere == [None]


def test_where_python_takes_another_thread_for_the_main_one_nothing_is_done() -> None:
    program = """
        import _thread
        done = _thread.allocate_lock()
        done.acquire()

        def elsewhere():
            try:
                from lamina.kernel.interrupts import hold  # the first to import threading
                print(hold())
            finally:
                done.release()

        _thread.start_new_thread(elsewhere, ())
        done.acquire()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "None\n", said.stderr
