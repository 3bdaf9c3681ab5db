"""What the manager is told at its start: the file of its configuration, which may be half done.

A block on the program's own host starts beside the interchange, not after it: then the file has
no addresses yet, and is replaced as a whole by one that has them.
"""

import json
import select
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

__all__ = ["await_addresses", "read_config"]

LOOK = 0.005  # seconds between two looks whether the interchange listens; it takes some 100 ms


def read_config(path: Path) -> dict[str, Any]:
    """The configuration as it is now; the keys are where it says, seen from the file."""
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # A relative path is one beside the file: where the file was brought, its keys were too.
    config["keys"] = str(path.parent / config.get("keys", ""))
    return config


def await_addresses(path: Path, news: Collection[int], patience: float) -> list[str] | int | None:
    """The addresses of the interchange, once the file has them.

    A descriptor of ``news`` that can be read before then is given back instead; None after
    ``patience`` seconds.
    """
    until = time.monotonic() + patience
    while True:
        addresses: list[str] = read_config(path)["addresses"]
        if addresses:
            return addresses
        left = until - time.monotonic()
        if left <= 0:
            return None
        ready, _, _ = select.select(news, (), (), min(LOOK, left))
        if ready:
            return int(ready[0])
