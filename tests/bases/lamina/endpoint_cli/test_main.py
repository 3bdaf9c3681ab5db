import subprocess
import sys

from lamina import endpoint_cli


def test_python_runs_it_as_a_module() -> None:
    command = [sys.executable, "-m", endpoint_cli.__name__, "plugins"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert "htex" in said.stdout
