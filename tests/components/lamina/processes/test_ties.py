import errno
import subprocess
import sys

import pytest

from lamina.processes import become_subreaper, die_with_parent

PACKAGE = become_subreaper.__module__.rpartition(".")[0]


def run(code: str) -> str:
    text = (
        f"import os, signal, sys\nfrom {PACKAGE} import become_subreaper, die_with_parent\n{code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], check=False, capture_output=True, text=True, timeout=30
    )
    return f"{done.returncode} {done.stdout}{done.stderr}"


def test_orphans_come_to_the_subreaper() -> None:
    code = """
become_subreaper()
middle = os.fork()
if middle == 0:
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(7)
    os._exit(0)
os.waitpid(middle, 0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert run(code) == "0 7\n"


def test_the_signal_comes_when_the_parent_ends() -> None:
    code = """
become_subreaper()
read, write = os.pipe()
middle = os.fork()
if middle == 0:
    middle = os.getpid()
    if os.fork() == 0:
        die_with_parent(signal.SIGTERM, parent=middle)
        os.write(write, b"x")
        signal.pause()
    os.read(read, 1)
    os._exit(0)
os.waitpid(middle, 0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert run(code) == "0 -15\n"


def test_a_parent_that_has_ended_already_ends_the_process_at_once() -> None:
    assert run("die_with_parent(parent=0)") == "-9 "
    code = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
die_with_parent(signal.SIGTERM, parent=0)
print("lives")
"""
    assert run(code) == "5 "


def test_a_process_lives_while_its_parent_does() -> None:
    assert run("die_with_parent(parent=os.getppid())\nprint('lives')") == "0 lives\n"


def test_what_the_system_refuses_is_its_error() -> None:
    with pytest.raises(OSError, match="prctl") as caught:
        die_with_parent(65)  # type: ignore[arg-type]  # there are 64 signals
    assert caught.value.errno == errno.EINVAL
