"""Hands connections from a host's network on to a port that only the host itself may reach.

This file is not imported where it runs: its text is given to the Python of that host, which
may be 3.6 and needs nothing of ours, with the port to hand on to, the one to listen at (0 for
any), and which process had that before: the host may not know yet that its connection broke.
It says in one line of JSON where it listens and who it is, and ends when its stdin does.
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

BLOCK = 2**16  # bytes
PATIENCE = 10.0  # seconds
PAUSE = 0.1  # seconds between two looks whether there is room for another connection


def relay(target: int, port: int, before: int = 0, began: str = "") -> None:
    """Listen, say where, and serve until stdin ends."""
    take_over(before, began)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen(1024)
    said = {"hosts": hosts(), "port": listener.getsockname()[1]}
    said.update(pid=os.getpid(), began=began_at(os.getpid()))
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    threading.Thread(target=serve, args=(listener, target), daemon=True).start()
    sys.stdin.read()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def hosts() -> "list[str]":
    """By which addresses and by which name this host may be found."""
    try:
        found = subprocess.check_output(["hostname", "-I"], timeout=PATIENCE).decode().split()
    except (OSError, subprocess.SubprocessError):
        found = []
    # The addresses of one link only lead nobody here.
    found = [one for one in found if ":" not in one and not one.startswith("127.")]
    return [*found, socket.gethostname(), "127.0.0.1"]


def take_over(pid: int, began: str) -> None:
    """End a relay that may still listen, and wait for its end."""
    until = time.monotonic() + PATIENCE
    while began and began_at(pid) == began and time.monotonic() < until:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass  # it has just ended
        time.sleep(0.01)


def began_at(pid: int) -> str:
    """When a process began, which tells it from others of its number; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, *fields = file.read().rpartition(b")")[2].decode().split()
        return "" if state in "ZX" else fields[18]
    except (OSError, ValueError, IndexError):
        return ""


def serve(listener: socket.socket, target: int) -> None:
    """Hand on each connection that comes."""
    while True:
        try:
            near, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                return  # it was closed
            time.sleep(PAUSE)  # there are no more files to be had: it waits for others to go
            continue
        try:
            threading.Thread(target=carry, args=(near, target), daemon=True).start()
        except RuntimeError:  # nor threads
            near.close()


def carry(near: socket.socket, target: int) -> None:
    """Hand on one connection, both ways."""
    with near:
        try:
            far = socket.create_connection(("127.0.0.1", target), timeout=PATIENCE)
        except OSError:
            return
        with far:
            for one in (near, far):
                one.settimeout(None)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=pump, args=(far, near), daemon=True)
            back.start()
            pump(near, far)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on one way, to its end; whoever cannot be written to is not read from any more."""
    try:
        data = source.recv(BLOCK)
        while data:
            sink.sendall(data)
            data = source.recv(BLOCK)
    except OSError:
        pass
    for one, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        try:
            one.shutdown(how)
        except OSError:
            pass


if __name__ == "__main__":
    relay(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
