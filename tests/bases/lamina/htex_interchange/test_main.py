import socket
import subprocess
import sys

from lamina.htex_interchange import run

PACKAGE = run.__module__.rpartition(".")[0]


def test_the_module_leaves_when_the_client_hangs_up() -> None:
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", PACKAGE, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    ours.close()
    try:
        assert process.wait(10.0) == 0
    finally:
        process.kill()
        process.wait()
