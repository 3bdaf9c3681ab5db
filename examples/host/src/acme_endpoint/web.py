"""The service over HTTP: JSON in, JSON out, for whoever has the token."""

import hmac
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from acme_endpoint.bundle import LaminaError
from acme_endpoint.service import Service, Unknown

__all__ = ["Server"]

LONGEST_WAIT = 60.0  # seconds
LONGEST_BODY = 2**20  # bytes


class Server(ThreadingHTTPServer):
    """Listens on this machine only."""

    daemon_threads = True

    def __init__(self, service: Service, token: str, port: int = 0) -> None:
        self.service, self.token = service, token
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_GET(self) -> None:
        self._answer(self._get)

    def log_message(self, *_: Any) -> None:
        """Say nothing for each request."""

    def _post(self, path: list[str]) -> object:
        body = json.loads(self.rfile.read(min(LONGEST_BODY, int(self.headers["Content-Length"]))))
        service = self.server.service
        match path:
            case ["functions"]:
                return {"function": service.register(body["name"], body["source"])}
            case ["functions", function, "calls"]:
                return {"task": service.call(function, body["arguments"])}
            case ["scale"]:
                service.scale(body["blocks"])
                return {}
        raise Unknown("/".join(path))

    def _get(self, path: list[str]) -> object:
        service = self.server.service
        match path:
            case ["tasks", task]:
                return service.result(task, LONGEST_WAIT)
            case ["status"]:
                return service.status()
        raise Unknown("/".join(path))

    def _answer(self, work: Callable[[list[str]], object]) -> None:
        said = self.headers.get("Authorization", "")
        if not hmac.compare_digest(said.encode(), f"Bearer {self.server.token}".encode()):
            return self._send(401, {"error": "the token is missing or wrong"})
        try:
            return self._send(200, work(self.path.strip("/").split("/")))
        except Unknown as error:
            return self._send(404, {"error": f"there is no {error.args[0]}"})
        except (KeyError, TypeError, ValueError, LaminaError) as error:
            return self._send(400, {"error": f"{type(error).__name__}: {error}"})

    def _send(self, status: int, answer: object) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
