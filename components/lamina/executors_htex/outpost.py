"""What blocks need on a host that shares no file system with this one, brought there.

That is the manager's file and its three keys, in a directory of the channel, and the address by
which the channel leads managers back to the interchange here.
"""

import json
import shlex
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from lamina.channels import ChannelError, RemoteChannel
from lamina.htex_core import PROTOCOL
from lamina.providers import BlockRequest, Provider, ProviderUnavailable

__all__ = ["Outpost", "request_there", "way_back_of"]

ROOT = __package__.rpartition(".")[0]
KEYS = ("interchange.public", "manager", "manager.public")  # and not the interchange's own


def way_back_of(provider: Provider) -> RemoteChannel | None:
    """The provider's channel, if it goes to another host and leads back from there."""
    channel: Any = getattr(provider, "channel", None)
    found: RemoteChannel | None = channel if hasattr(channel, "forward") else None
    return found


def request_there(request: BlockRequest, python: str, place: str) -> BlockRequest:
    """The request as it holds on the other host, where this Python and this directory are."""
    words = ["env", f"LAMINA_BLOCK={request.block}", python]
    words += ["-m", f"{ROOT}.htex_worker_pool", f"{place}/manager.json"]
    there = Path(place)
    return attrs.evolve(
        request,
        command=shlex.join(words),
        stdout=there / request.stdout.name,
        stderr=there / request.stderr.name,
        remote_dir=there,
    )


class Outpost:
    """One run of an executor, as far as it is on the other host. One thread moves requests."""

    def __init__(self, channel: RemoteChannel, config: Path) -> None:
        self._channel, self._config = channel, config
        self._name = f"htex-{PROTOCOL}-{uuid.uuid4().hex[:12]}"
        self._place = ""
        self.addresses: Sequence[str] = ()
        """Where managers there are to look for the interchange; none before the first request."""

    def moved(self, request: BlockRequest) -> BlockRequest:
        """The request as it holds there.

        Raises:
            ProviderUnavailable: The host cannot be reached, or has no way back; again may help.
        """
        try:
            self._place = self._place or self._occupied()
        except ChannelError as error:
            raise ProviderUnavailable("the channel", str(error)) from error
        return request_there(request, self._channel.python, self._place)

    def tail(self, name: str, lines: int, timeout: float) -> str:
        """The last lines of a file there; empty if it cannot be read within so many seconds."""
        if not self._place:
            return ""
        command = ("tail", "-n", str(lines), f"{self._place}/{name}")
        try:
            done = self._channel.run(command, timeout=timeout)
        except ChannelError:
            return ""
        return done.stdout.rstrip("\n") if done.status == 0 else ""

    def _occupied(self) -> str:
        channel = self._channel
        place = channel.place(self._name)
        facts: dict[str, Any] = json.loads(self._config.read_text(encoding="utf-8"))
        name, _, probe = facts["addresses"][0].partition("?")
        forward = channel.forward(int(name.rpartition(":")[2]))
        hosts = ",".join(f"[{host}]" if ":" in host else host for host in forward.hosts)
        facts["addresses"] = [f"tcp://{hosts}:{forward.port}{'?' if probe else ''}{probe}"]
        self.addresses = tuple(facts["addresses"])
        keys, facts["keys"] = Path(facts["keys"]), f"{place}/keys"
        channel.make_directory(facts["keys"])
        for key in KEYS:
            channel.put(keys / key, f"{place}/keys/{key}")
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as written:
            json.dump(facts, written)
            written.flush()
            channel.put(Path(written.name), f"{place}/manager.json")
        return place
