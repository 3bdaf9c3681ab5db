"""Trying out a configuration with one small block, and telling what worked and what did not.

What runs on the node is the standard library's own: a node on which nothing of ours can be
imported shows as a block that ends, with its last words.
"""

import copy
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from lamina.executors import Executor
from lamina.executors_htex import BlockStanding, HighThroughputExecutor
from lamina.hosting.configuration import EndpointConfig
from lamina.hosting.endpoint import Endpoint
from lamina.plugins import ConfigErrors
from lamina.processes import tail
from lamina.providers import Provider, ProviderError
from lamina.scaling import NoScaling
from lamina.vocabulary import JobId

__all__ = ["Finding", "examine"]

LOOK = 0.05  # seconds between two looks at the block
LINES = 10  # of a block's stderr
MOST_SKEW = 1.0  # seconds by which two clocks may differ before it is called wrong


class Finding(NamedTuple):
    """One thing that was tried."""

    what: str
    well: bool
    says: str


def examine(config: EndpointConfig, patience: float) -> Iterator[tuple[str, list[Finding]]]:
    """Try each executor of a configuration in turn, with one block, for so many seconds at most.

    Raises:
        ConfigError: An executor cannot be started on this machine.
    """
    for executor in config.executors:
        if isinstance(executor, HighThroughputExecutor):
            yield executor.label, list(_examine(executor, config.run_dir, patience))
        else:
            yield executor.label, list(_try_out(executor, config.run_dir, patience))


def _try_out(executor: Executor, run_dir: Path, patience: float) -> Iterator[Finding]:
    """An executor without blocks either runs a task or does not."""
    with Endpoint(EndpointConfig(executors=[executor], run_dir=run_dir)) as endpoint:
        yield _asked("task", endpoint.submit(os.getpid), patience, lambda pid: f"ran in {pid}")


def _examine(executor: HighThroughputExecutor, run_dir: Path, patience: float) -> Iterator[Finding]:
    try:
        executor.plan()
    except ConfigErrors as errors:
        yield Finding("options", False, str(errors))
        return
    yield Finding("options", True, "no contradictions")
    twin = _with_one_block(executor)
    endpoint = Endpoint(EndpointConfig(executors=[twin], run_dir=run_dir)).start()
    block: BlockStanding | None = None
    try:
        began = time.monotonic()
        block = _awaited(endpoint, twin.label, patience)
        directory = endpoint.site.run_dir / twin.label / "blocks"
        yield from _of_block(block, directory, time.monotonic() - began)
        if block is not None and block.managers:
            yield from _of_node(endpoint, patience)
    finally:
        endpoint.shutdown(wait=False)
    if block is not None and block.job is not None:
        yield _given_back(twin.settings.provider, JobId(block.job), patience)


def _with_one_block(executor: HighThroughputExecutor) -> HighThroughputExecutor:
    """The same executor with one block, however many the configuration would ask for."""
    twin = copy.copy(executor)
    provider: Any = executor.settings.provider
    if attrs.has(type(provider)):
        provider = attrs.evolve(provider, init_blocks=1, min_blocks=0, max_blocks=1)
    twin.settings = attrs.evolve(executor.settings, provider=provider, strategy=NoScaling())
    return twin


def _awaited(endpoint: Endpoint, label: str, patience: float) -> BlockStanding | None:
    """The block once a node of it is here, or it is over, or the time is."""
    end = time.monotonic() + patience
    while True:
        blocks = endpoint.blocks()[label]
        first = blocks[0] if blocks else None
        if time.monotonic() >= end or (first is not None and (first.managers or first.over)):
            return first
        time.sleep(LOOK)


def _of_block(block: BlockStanding | None, directory: Path, took: float) -> Iterator[Finding]:
    if block is None:
        yield Finding("submission", False, f"no block was asked for within {took:.0f} s")
        return
    taken = block.job is not None
    yield Finding("submission", taken, f"job {block.job}" if taken else block.reason)
    if not taken:
        return
    said = tail(directory / f"block-{block.block}.stderr", LINES).strip()
    if block.managers:
        yield Finding("block", True, f"a node was here after {took:.1f} s, {block.slots} workers")
    else:
        why = f": {block.reason}" if block.reason else ""
        yield Finding("block", False, f"{block.state} after {took:.1f} s, no node is here{why}")
    # A manager writes down each address by which it could not reach us.
    if said:
        yield Finding("its stderr", bool(block.managers), said)


def _of_node(endpoint: Endpoint, patience: float) -> Iterator[Finding]:
    ours = platform.python_version()
    yield _asked(
        "Python",
        endpoint.submit(platform.python_version),
        patience,
        lambda theirs: f"{theirs} there, {ours} here",
        lambda theirs: theirs.split(".")[:2] == ours.split(".")[:2],
    )
    yield _asked("node", endpoint.submit(platform.node), patience, str)
    began, asked = time.monotonic(), time.time()
    future = endpoint.submit(time.time)
    found = _asked("clock", future, patience, str)
    if found.well:
        trip = time.monotonic() - began
        found = _of_clock(future.result() - asked - trip / 2, trip)
    yield found
    word = secrets.token_hex(8)
    path = endpoint.site.run_dir / "doctor"
    path.write_text(word, encoding="ascii")
    yield _asked(
        "shared directory",
        endpoint.submit(Path.read_text, path),
        patience,
        lambda read: f"{path.parent} is " + ("the same there" if read == word else "another there"),
        lambda read: read == word,
    )
    path.unlink()


def _of_clock(skew: float, trip: float) -> Finding:
    """What a node's clock is ahead of ours; it cannot be told closer than half the trip."""
    where = "ahead of ours" if skew >= 0 else "behind ours"
    if abs(skew) <= trip / 2:
        return Finding("clock", True, f"the same, as far as {trip / 2 * 1000:.0f} ms can tell")
    return Finding("clock", abs(skew) < MOST_SKEW, f"{abs(skew):.3f} s {where}")


def _asked(
    what: str,
    future: "Future[Any]",
    patience: float,
    says: Callable[[Any], str],
    well: Callable[[Any], bool] = lambda value: True,
) -> Finding:
    try:
        value = future.result(patience)
    except TimeoutError:
        return Finding(what, False, f"no answer within {patience:g} s")
    except Exception as error:  # whatever the node makes of it is the finding
        return Finding(what, False, f"{type(error).__name__}: {error}")
    return Finding(what, well(value), says(value))


def _given_back(provider: Provider, job: JobId, patience: float) -> Finding:
    """Whether the batch system has let go of the block."""
    end = time.monotonic() + patience
    while True:
        try:
            status = provider.poll([job])[job]
        except ProviderError as error:
            return Finding("given back", False, str(error))
        state = status.state
        if state.terminal or time.monotonic() >= end:
            still = "" if state.terminal else "still "
            return Finding("given back", state.terminal, f"job {job} is {still}{state.value}")
        time.sleep(LOOK)
