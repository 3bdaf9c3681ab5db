"""What a doctor asks a node that has come.

What runs there is the standard library's own: where nothing of ours can be imported, no node
comes.
"""

import os
import platform
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from lamina.executors_htex import HighThroughputExecutor
from lamina.hosting.endpoint import Endpoint
from lamina.hosting.findings import Finding, asked

__all__ = ["of_addresses", "of_clock", "of_directory", "of_node", "of_packages"]

MOST_SKEW = 1.0  # seconds by which two clocks may differ before it is called wrong
REACH = 3.0  # seconds for one address
PACKAGES = ("attrs", "cloudpickle", "msgpack", "pyzmq")
# Tries each address that is named, all in their turn, and prints what became of it.
PROBE = """
import socket, sys
for place in sys.argv[2:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), float(sys.argv[1])).close()
        print("reached")
    except OSError as error:
        print(error)
"""


def of_node(endpoint: Endpoint, label: str, patience: float) -> Iterator[Finding]:
    """All of it; ``patience`` in seconds is for each answer."""
    ours = platform.python_version()
    yield asked(
        "Python",
        endpoint.submit(platform.python_version),
        patience,
        lambda theirs: f"{theirs} there, {ours} here",
        lambda theirs: theirs.split(".")[:2] == ours.split(".")[:2],
    )
    yield of_packages(endpoint, PACKAGES, patience)
    yield asked("node", endpoint.submit(platform.node), patience, str)
    executor = endpoint.executors[label]
    if isinstance(executor, HighThroughputExecutor):
        yield of_addresses(endpoint, executor.addresses(), patience)
    yield _clock(endpoint, patience)


def of_packages(endpoint: Endpoint, names: Sequence[str], patience: float) -> Finding:
    """The versions of what both sides need; another first number there is called wrong."""
    says, well = [], True
    for name in names:
        try:
            ours = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # then it is not needed there either
        theirs = asked(name, endpoint.submit(metadata.version, name), patience, str)
        same = theirs.says == ours
        says.append(f"{name} {ours}" if same else f"{name} {theirs.says} there, {ours} here")
        well &= theirs.well and theirs.says.split(".")[0] == ours.split(".")[0]
    return Finding("packages", well, ", ".join(says))


def of_addresses(endpoint: Endpoint, addresses: Sequence[str], patience: float) -> Finding:
    """Which of this program's addresses the node reaches: a line for each, and one is enough."""
    places = [one.removeprefix("tcp://") for one in addresses if one.startswith("tcp://")]
    if not places:
        return Finding("addresses", True, "a Unix socket, since the node is this host")
    python = endpoint.submit(os.path.realpath, "/proc/self/exe")
    found = asked("addresses", python, patience, str)
    if not found.well:
        return found
    words = [found.says, "-c", PROBE, str(REACH), *places]
    future = endpoint.submit(subprocess.check_output, words, text=True)
    found = asked("addresses", future, patience + REACH * len(places), str)
    if not found.well:
        return found
    results = found.says.splitlines()
    width = max(map(len, places))
    lines = [f"{place:{width}}  {result}" for place, result in zip(places, results, strict=True)]
    return Finding("addresses", "reached" in results, "\n".join(lines))


def _clock(endpoint: Endpoint, patience: float) -> Finding:
    began, here = time.monotonic(), time.time()
    future = endpoint.submit(time.time)
    found = asked("clock", future, patience, str)
    if not found.well:
        return found
    trip = time.monotonic() - began
    return of_clock(future.result() - here - trip / 2, trip)


def of_clock(skew: float, trip: float) -> Finding:
    """What a node's clock is ahead of ours; it cannot be told closer than half the trip."""
    where = "ahead of ours" if skew >= 0 else "behind ours"
    if abs(skew) <= trip / 2:
        return Finding("clock", True, f"the same, as far as {trip / 2 * 1000:.0f} ms can tell")
    return Finding("clock", abs(skew) < MOST_SKEW, f"{abs(skew):.3f} s {where}")


def of_directory(endpoint: Endpoint, patience: float) -> Finding:
    """Whether the node sees the run directory under its name."""
    word = secrets.token_hex(8)
    path = endpoint.site.run_dir / "doctor"
    path.write_text(word, encoding="ascii")
    found = asked(
        "shared directory",
        endpoint.submit(Path.read_text, path),
        patience,
        lambda read: f"{path.parent} is " + ("the same there" if read == word else "another there"),
        lambda read: read == word,
    )
    path.unlink()
    return found
