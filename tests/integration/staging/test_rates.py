"""The benchmark of staging at a size that CI can bear; at 2 GiB it is run by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "development" / "benchmarks" / "staging.py"
SIZE = 128 * 2**20  # bytes


@pytest.mark.timeout(180)
def test_a_large_file_is_staged_at_the_rate_of_other_tools_with_flat_memory(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "--size", str(SIZE), "--rounds", "3"]
    done = subprocess.run(
        [*words, "--folder", str(tmp_path)], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    assert "file" in found
    for kind in {"http", "file"} & found.keys():  # curl is not on every machine
        # Half is what is promised of a file that takes longer than its overhead and the noise.
        assert found[kind]["rate"] >= 0.2, found
        assert found[kind]["memory_grown"] < SIZE / 2, found
