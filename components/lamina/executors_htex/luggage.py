"""What blocks need that see no file of this host, given to their provider as luggage."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.providers import BlockRequest, Luggage, LuggageProvider, Provider

__all__ = ["luggage_of", "packed", "taker_of"]

ROOT = __package__.rpartition(".")[0]
KEYS = ("interchange.public", "manager", "manager.public")  # and not the interchange's own


def taker_of(provider: Provider) -> LuggageProvider | None:
    """The provider, if its blocks need luggage."""
    taker: Any = provider
    found: LuggageProvider | None = taker if getattr(taker, "takes_luggage", False) else None
    return found


def packed(request: BlockRequest, taker: LuggageProvider, config: Path) -> BlockRequest:
    """The request with everything that the manager's file, at ``config``, leads to."""
    facts: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    keys = Path(facts["keys"])
    facts["keys"] = "keys"  # beside the file, wherever that will be
    files = {"manager.json": json.dumps(facts).encode()}
    if facts["encrypted"]:
        files |= {f"keys/{name}": (keys / name).read_bytes() for name in KEYS}
    return attrs.evolve(request, luggage=luggage_of(request, taker, files))


def luggage_of(
    request: BlockRequest, taker: LuggageProvider, files: Mapping[str, bytes]
) -> Luggage:
    """These files, and the command that needs them."""
    # The provider's own option says what Python is: it may be more than one word.
    words = f"env {shlex.quote(f'LAMINA_BLOCK={request.block}')} {taker.python}"
    return Luggage(
        files=files, command=f'{words} -m {ROOT}.htex_worker_pool "$LAMINA_LUGGAGE/manager.json"'
    )
