"""CPython's own tests of executors, with ours in the place of the standard library's.

They come with Debian's package for its own interpreter, under which they run; the stand-ins give
our executors the names and arguments that they use.
"""

import json
import os
import subprocess
import sysconfig
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cpython.exclusions import EXCLUDED

PYTHON = Path("/usr/bin/python3.11")
SUITE = Path("/usr/lib/python3.11/test/test_concurrent_futures.py")
INSTALLER = "development/testbed/cpython_tests.sh"

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LIMIT = 400  # seconds for one executor; on two idle cores they take 40 and 75
LEAST = {"threads": 35, "htex": 22}  # tests that pass; fewer mean that too little was run

pytestmark = [
    pytest.mark.service,
    pytest.mark.apart,
    pytest.mark.slow,
    pytest.mark.timeout(LIMIT + 10),
    pytest.mark.skipif(
        sysconfig.get_python_version() != "3.11", reason="libraries of 3.11 are borrowed from here"
    ),
    pytest.mark.skipif(
        not (PYTHON.exists() and SUITE.exists()), reason=f"as root, run {INSTALLER}"
    ),
    pytest.mark.parametrize("which", ["threads", "htex"]),
]


@cache
def outcomes(which: str) -> dict[str, dict[str, Any]]:
    """What became of each test, by its name."""
    path = [ROOT / "components", ROOT / "bases", HERE, sysconfig.get_path("platlib")]
    # What failing tests leave behind: their processes die with the program, their files here.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        ran = subprocess.run(
            [str(PYTHON), str(HERE / "run_suite.py")],
            env={
                **os.environ,
                "LAMINA_STAND_IN": which,
                "PYTHONPATH": os.pathsep.join(str(entry) for entry in path),
                "TMPDIR": scratch,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr[-5000:]
    # What a test has printed itself may stand before a line of ours.
    lines = [line[line.index("{") :] for line in ran.stdout.splitlines() if '{"name": ' in line]
    return {said["name"]: said for said in map(json.loads, lines)}


def test_all_pass_but_those_that_are_excluded(which: str) -> None:
    said = outcomes(which)
    failed = {
        name: one["why"]
        for name, one in said.items()
        if one["outcome"] != "passed" and name not in EXCLUDED[which]
    }
    assert not failed, "\n\n".join(f"{name}: {why}" for name, why in failed.items())
    assert sum(one["outcome"] == "passed" for one in said.values()) >= LEAST[which]


def test_what_is_excluded_exists_and_does_not_pass(which: str) -> None:
    said = outcomes(which)
    assert EXCLUDED[which].keys() <= said.keys(), "a test has another name now"
    rotten = [name for name in EXCLUDED[which] if said[name]["outcome"] == "passed"]
    assert not rotten, f"these pass now: take them out of exclusions.py: {rotten}"
