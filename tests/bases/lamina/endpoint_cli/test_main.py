import os
import subprocess
import sys

from lamina import endpoint_cli


def test_python_runs_it_as_a_module() -> None:
    command = [sys.executable, "-m", endpoint_cli.__name__, "plugins"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert "htex" in said.stdout


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", endpoint_cli.__name__, "plugins"]
    said = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (said.returncode, said.stderr) == (141, b"")
    os.close(writing)
