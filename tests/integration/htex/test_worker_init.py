"""A program that is killed before its block has got as far as a manager."""

import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import LocalProvider
from tests.integration.htex import world
from tests.integration.htex.world import until

# Seconds; what is left is told to end after 1 s, and killed 2 s later.
LIMIT = 10.0
PROGRAM = f"""
    import sys, time
    from pathlib import Path
    from {Site.__module__.rpartition(".")[0]} import Site
    from {HighThroughputExecutor.__module__.rpartition(".")[0]} import HighThroughputExecutor
    from {LocalProvider.__module__.rpartition(".")[0]} import LocalProvider

    place = Path(sys.argv[1])
    provider = LocalProvider(worker_init=(place / "init").read_text())
    executor = HighThroughputExecutor(provider=provider)
    executor.start(Site(run_dir=place))
    time.sleep(1000)
"""


@pytest.mark.parametrize("stubborn", [False, True])
def test_nothing_is_left_of_a_block_that_still_prepares_when_its_program_is_killed(
    tmp_path: Path, stubborn: bool
) -> None:
    (source := tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    sleep = tmp_path / "sleep"  # by whose name they are found
    sleep.symlink_to(str(shutil.which("sleep")))
    # What has left the session is found as well, and what heeds no signal.
    deaf = 'trap "" TERM; ' if stubborn else ""
    (tmp_path / "init").write_text(
        f"{deaf}setsid {sleep} 900 & touch {tmp_path}/begun; {sleep} 1000; {sleep} 800"
    )
    process = subprocess.Popen([sys.executable, str(source), str(tmp_path)])
    try:
        until((tmp_path / "begun").exists)
        until(lambda: len(world.having(sleep)) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed = time.monotonic()
        until(lambda: not world.having(tmp_path), LIMIT)
        assert time.monotonic() - killed < LIMIT
    finally:
        process.kill()
        process.wait()
