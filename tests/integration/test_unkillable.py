"""A command that its user cannot kill, as one behind sudo, still has its time only."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from lamina.channels import CommandTimeout, LocalChannel

pytestmark = pytest.mark.service

NOBODY = 65534
PROGRAM = f"""
    import os, sys
    from {LocalChannel.__module__.rpartition(".")[0]} import {CommandTimeout.__name__}, LocalChannel

    os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
    try:
        LocalChannel().run(sys.argv[1:], timeout=0.5)
    except CommandTimeout as error:
        print(error)
"""


def test_a_command_that_has_become_another_user_is_not_waited_for() -> None:
    with tempfile.TemporaryDirectory() as place:  # where that user may come
        os.chmod(place, 0o755)
        become = Path(place, "become")
        shutil.copy(str(shutil.which("setpriv")), become)
        become.chmod(0o4755)
        command = [str(become), "--reuid=0", "--regid=0", "--clear-groups", "sleep", "20"]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "it was still running after 0.5 s" in done.stdout, done.stderr
        assert time.monotonic() - began < 10.0
