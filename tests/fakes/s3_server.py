"""An S3 API on this host: moto's server, in a process of its own, and a bucket in it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

__all__ = ["S3Server", "serving_s3"]

BUCKET = "lamina"
# So that nobody looks for, or finds, someone's real credentials.
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class S3Server:
    """What a test knows of it. ``options`` are those for fsspec."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.options: dict[str, Any] = {
            "key": "testing",
            "secret": "testing",
            "endpoint_url": self.endpoint,
            "client_kwargs": {"region_name": "us-east-1"},
        }

    def files(self) -> Any:
        """Its files, as fsspec shows them."""
        return fsspec.filesystem("s3", use_listings_cache=False, **self.options)


@contextmanager
def serving_s3(bucket: str = BUCKET) -> Iterator[S3Server]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command,
        env={**os.environ, **VARIABLES},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "moto's server has ended"
                assert time.monotonic() < deadline, "moto's server does not answer"
                time.sleep(0.05)  # a process that starts has nothing to wait for
        server = S3Server(port)
        make = urllib.request.Request(f"{server.endpoint}/{bucket}", method="PUT")
        urllib.request.urlopen(make, timeout=30).close()
        yield server
    finally:
        process.kill()
        process.wait(30)
