"""A real HTTP server of the standard library, which misbehaves by path."""

import gzip
import hashlib
import os
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Misbehaving", "serving"]

PASSWORD = "Basic " + b64encode(b"user:secret").decode()


class Misbehaving(ThreadingHTTPServer):
    """``/KIND/name`` is a file of the folder, given out in the manner of KIND.

    ``plain``: with ETag, range requests and PUT. ``redirect``: leads to plain, ``loop``: to
    itself, ``away``: to ``elsewhere``. ``broken``: 500 twice, then plain. ``cut``: breaks off
    half-way, once; ``changed``: likewise, and then is another file; ``short``: breaks off
    always, before its first byte.
    ``bare``: no ETag, no ranges, no HEAD, and breaks off once. ``auth``: asks for a password.
    ``packed``: compressed though nobody asked. ``stuck``: says nothing until ``go_on`` is set.
    ``lies``: takes PUT and keeps half. A three-digit KIND is the answer's status.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        """Those of each request."""
        self.counts: Counter[str] = Counter()
        self.elsewhere = ""
        self.go_on = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has heard enough leaves

    def url(self, kind: str, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{kind}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Misbehaving

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_PUT(self) -> None:
        kind, path = self._place()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"PUT {kind} {path.name}")
        if kind.isdecimal():
            self._say(int(kind))
            return
        part = path.with_name(f".{path.name}.{threading.get_ident()}")
        part.write_bytes(content[: len(content) // 2] if kind == "lies" else content)
        os.replace(part, path)
        self._say(201)

    def _place(self) -> tuple[str, Path]:
        _, kind, name = unquote(urlsplit(self.path).path).split("/", 2)
        return kind, self.server.folder / name

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, *, body: bool) -> None:
        kind, path = self._place()
        server = self.server
        wanted = self.headers.get("Range", "")
        server.asked.append(f"{self.command} {kind} {path.name} {wanted}".strip())
        server.headers.append(dict(self.headers))
        if body:
            server.counts[kind] += 1
        if kind.isdecimal():
            self._say(int(kind))
        elif kind == "redirect":
            self._say(302, Location=f"/plain/{path.name}")
        elif kind == "away":
            self._say(302, Location=server.elsewhere)
        elif kind == "loop":
            self._say(302, Location=self.path)
        elif kind == "broken" and body and server.counts[kind] <= 2:
            self._say(500)
        elif kind == "auth" and self.headers.get("Authorization") != PASSWORD:
            self._say(401, WWW_Authenticate='Basic realm="test"')
        elif kind == "bare" and not body:
            self._say(405)
        elif not path.is_file():
            self._say(404)
        else:
            self._file(kind, path, wanted, body=body)

    def _file(self, kind: str, path: Path, wanted: str, *, body: bool) -> None:
        content = path.read_bytes()
        first = self.server.counts[kind] == 1
        if kind == "changed" and not first:
            content = b"another" + content
        if kind == "stuck" and body:
            self.server.go_on.wait(60)
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = 0
        if kind != "bare" and wanted and self.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self._say(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if kind != "bare":
            self.send_header("ETag", etag)
        if kind == "packed":
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not body:
            return
        end = len(content)
        if kind in ("cut", "changed", "bare") and first:
            end = start + (end - start) // 2
        elif kind == "short":
            end = start
        self.wfile.write(content[start:end])
        self.close_connection = self.close_connection or end < len(content)


@contextmanager
def serving(folder: Path) -> Iterator[Misbehaving]:
    with Misbehaving(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join(30)
