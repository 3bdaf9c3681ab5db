"""``python -m acme_endpoint CONFIG``: serve until told to end."""

import json
import os
import secrets
import signal
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

from acme_endpoint.bundle import NAME, LaminaError
from acme_endpoint.service import Service
from acme_endpoint.web import Server


def main() -> int:
    """Serve what the configuration says; the first line of output says where."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m acme_endpoint CONFIG\n")
        return 2
    wait_for_the_end = listen_for_signals()
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
        wait_for_the_end()
        server.shutdown()
        # Nobody can ask for results any more, so no task is worth waiting for.
        service.endpoint.shutdown(wait=False)
    return 0


def listen_for_signals() -> Callable[[], object]:
    """From now on keep signals to end; what is returned waits for one."""
    # No lock, not even that of an Event: a handler that takes one which the code that it
    # interrupts already holds waits for ever.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return lambda: os.read(reading, 1)


if __name__ == "__main__":
    sys.exit(main())
