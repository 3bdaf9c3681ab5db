"""What tasks do on the nodes."""

import socket
import time


def host_after(seconds: float) -> str:
    time.sleep(seconds)
    return socket.gethostname()
