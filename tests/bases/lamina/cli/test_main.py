import json
import os
import subprocess
import sys

from lamina import cli


def test_python_runs_it_as_a_module() -> None:
    command = [sys.executable, "-m", cli.__name__, "version", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(said.stdout)["python"].startswith("3.")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for command in ("plugins", "version"):  # more than Python holds back, and less
        line = [sys.executable, "-m", cli.__name__, command]
        said = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, timeout=30, check=False)
        assert (said.returncode, said.stderr) == (141, b"")
    os.close(writing)
