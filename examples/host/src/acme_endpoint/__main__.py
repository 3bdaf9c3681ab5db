"""``python -m acme_endpoint CONFIG``: serve until told to end."""

import json
import os
import secrets
import signal
import sys
import threading
import tomllib
from pathlib import Path

from acme_endpoint.bundle import NAME, LaminaError
from acme_endpoint.service import Service
from acme_endpoint.web import Server


def main() -> int:
    """Serve what the configuration says; the first line of output says where."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m acme_endpoint CONFIG\n")
        return 2
    told_to_end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_end.set())
    try:
        service = Service(tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, LaminaError) as error:
        sys.stderr.write(f"{sys.argv[1]}: {error}\n")
        return 1
    token = os.environ.get("ACME_TOKEN") or secrets.token_urlsafe()
    with service.endpoint, Server(service, token) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        facts = {"url": server.url, "token": token, "bundle": NAME}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        told_to_end.wait()
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
