import json
import subprocess
import sys

from lamina import cli


def test_python_runs_it_as_a_module() -> None:
    command = [sys.executable, "-m", cli.__name__, "version", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(said.stdout)["python"].startswith("3.")
