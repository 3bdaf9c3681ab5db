"""A real FTP server, pyftpdlib's, that breaks off when a test wants."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of asyncore, which it is built on
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import FTPServer as _Server

__all__ = ["FTPServer", "serving_ftp"]

RIGHTS = "elradfmwMT"


class FTPServer:
    """Lets anonymous read a folder, and ``user`` with the password ``secret`` write it too."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        authorizer = DummyAuthorizer()
        authorizer.add_anonymous(str(folder), perm="elr")
        authorizer.add_user("user", "secret", str(folder), perm=RIGHTS)
        self.folder = folder
        self.cuts: list[int] = []
        """Bytes after which the next connections for data break off."""
        self.said: list[str] = []
        self.before: Callable[[str], None] = lambda line: None
        """Called with each command before it is obeyed."""
        outer = self

        class Cutting(DTPHandler):  # type: ignore[misc, unused-ignore]
            def send(self, data: bytes) -> int:
                if outer.cuts and self.tot_bytes_sent >= outer.cuts[0]:
                    outer.cuts.pop(0)
                    self.cmd_channel.close()  # and with it this one
                    return 0
                return int(super().send(data))

        class Handler(FTPHandler if tls is None else TLS_FTPHandler):  # type: ignore[misc, unused-ignore]
            def pre_process_command(self, line: str, cmd: str, arg: str) -> Any:
                outer.said.append(line)
                outer.before(line)
                return super().pre_process_command(line, cmd, arg)

        Handler.authorizer = authorizer
        Handler.use_sendfile = False  # which would go past what cuts
        if tls is None:
            Handler.dtp_handler = Cutting
        else:
            Handler.certfile, Handler.keyfile = map(str, tls)
            Handler.tls_control_required = Handler.tls_data_required = True
        self.scheme = "ftp" if tls is None else "ftps"
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.socket.getsockname()[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._server.ioloop.loop(timeout=0.02, blocking=False)
        self._server.close_all()

    def url(self, name: str, user: str = "") -> str:
        return f"{self.scheme}://{user}127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        self._ending.set()
        self._thread.join(30)


@contextmanager
def serving_ftp(folder: Path, tls: tuple[Path, Path] | None = None) -> Iterator[FTPServer]:
    server = FTPServer(folder, tls)
    try:
        yield server
    finally:
        server.close()
