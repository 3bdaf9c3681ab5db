"""A door for other programs of the same user: they ask a running endpoint for something.

It is a Unix socket in a fresh directory that is for the user alone. A request is one line of
JSON, and so is the answer: empty, or an error to be shown.
"""

import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lamina.vocabulary import ConfigError, LaminaError, UsageError

__all__ = ["Door", "ask"]

PATIENCE = 10.0  # seconds that either side waits for the other
LONGEST = 2**16  # bytes of a request or an answer
PAUSE = 0.1  # seconds until another try where this process may open nothing more


class Door:
    """Listens until it is closed; ``answer`` does what is asked, or raises.

    Raises:
        ConfigError: There can be no socket where sockets are to be.
    """

    def __init__(self, answer: Callable[[Mapping[str, Any]], None]) -> None:
        self._answer = answer
        parent = os.environ.get("LAMINA_SOCKET_DIR", "/tmp")
        try:
            self._place, self._listener = _listening(parent)
        except OSError as error:
            msg = (
                f"there can be no socket in {parent}: {error}; set LAMINA_SOCKET_DIR to a "
                "directory with a short path"
            )
            raise ConfigError(msg) from error
        self.path = self._listener.getsockname()
        self._closing = threading.Event()
        self._heard: socket.socket | None = None
        """Whoever asks just now."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="endpoint-door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more, not to whoever has begun to ask either, and leave nothing behind."""
        with self._lock:
            self._closing.set()
            for one in (self._listener, self._heard):
                _hang_up(one)
        self._thread.join()
        self._listener.close()
        shutil.rmtree(self._place, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:  # it is closed, or there is no room for another descriptor
                if self._closing.wait(PAUSE):
                    return
                continue
            with link:
                with self._lock:
                    self._heard = link
                    if self._closing.is_set():
                        return
                try:
                    link.settimeout(PATIENCE)
                    _say(link, self._reply(_hear(link)))
                except OSError:  # whoever asked has gone
                    continue

    def _reply(self, asked: Any) -> dict[str, str]:
        if not isinstance(asked, dict):
            return {"error": "that is no request"}
        try:
            self._answer(asked)
        except LaminaError as error:
            return {"error": str(error)}
        except Exception as error:  # a plug-in's; whoever asked shall see it, and the door stay
            return {"error": f"{type(error).__name__}: {error}"}
        return {}


def ask(path: str, request: Mapping[str, Any]) -> None:
    """Ask the endpoint behind this door, and wait until it has answered.

    Raises:
        UsageError: It does not listen, or says that it cannot be done, and why.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(PATIENCE)
            link.connect(path)
            _say(link, request)
            reply = _hear(link)
    except OSError as error:
        msg = f"the endpoint does not listen at {path or 'any door'}: {error}; does it still run?"
        raise UsageError(msg) from error
    if not isinstance(reply, dict):
        msg = f"the endpoint at {path} gave no answer that makes sense; its log may say more"
        raise UsageError(msg)
    if reply.get("error"):
        raise UsageError(str(reply["error"]))


def _listening(parent: str) -> tuple[Path, socket.socket]:
    place = Path(tempfile.mkdtemp(prefix="lamina-", dir=parent))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(place / "endpoint"))
        listener.listen()
    except OSError:
        listener.close()
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place, listener


def _hang_up(link: socket.socket | None) -> None:
    try:
        if link is not None:
            link.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has gone already
        pass


def _say(link: socket.socket, what: Mapping[str, Any]) -> None:
    link.sendall(json.dumps(what).encode() + b"\n")


def _hear(link: socket.socket) -> Any:
    heard = b""
    while not heard.endswith(b"\n") and len(heard) < LONGEST:
        more = link.recv(LONGEST)
        if not more:
            break
        heard += more
    try:
        return json.loads(heard)
    except ValueError:
        return None
