import json
import socket
import subprocess
import sys

from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.htex_worker.zygote import main


def test_the_module_runs_until_its_socket_closes() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    package = main.__module__.rpartition(".")[0]
    process = subprocess.Popen(
        [sys.executable, "-m", package, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    codec = f"{CloudpickleCodec.__module__}:{CloudpickleCodec.__name__}"
    ours.send(json.dumps({"codec": codec, "sys_path": []}).encode())
    ours.close()
    try:
        assert process.wait(10.0) == 0
    finally:
        process.kill()
        process.wait()
