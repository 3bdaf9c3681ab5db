"""Trying out a configuration with one small block, and telling what worked and what did not.

A node on which nothing of ours can be imported shows as a block that ends, with its last words.
"""

import copy
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from lamina.executors import Executor
from lamina.executors_htex import BlockStanding, HighThroughputExecutor
from lamina.hosting.configuration import EndpointConfig
from lamina.hosting.doctor_node import of_directory, of_node
from lamina.hosting.endpoint import Endpoint
from lamina.hosting.findings import Finding, asked
from lamina.plugins import ConfigErrors
from lamina.providers import Provider, ProviderError
from lamina.scaling import NoScaling
from lamina.vocabulary import JobId

__all__ = ["examine"]

LOOK = 0.05  # seconds between two looks at the block


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
        yield asked("task", endpoint.submit(os.getpid), patience, lambda pid: f"ran in {pid}")


def _examine(executor: HighThroughputExecutor, run_dir: Path, patience: float) -> Iterator[Finding]:
    try:
        executor.plan()
    except ConfigErrors as errors:
        yield Finding("options", False, str(errors))
        return
    yield Finding("options", True, "no contradictions")
    twin = _with_one_block(executor)
    provider = twin.settings.provider
    # Late, because a host that runs no doctor is not to wait for all dialects.
    from lamina.providers_batch import survey_accounting, survey_programs

    if (found := survey_programs(provider)) is not None:
        yield Finding("commands", *found)
    endpoint = Endpoint(EndpointConfig(executors=[twin], run_dir=run_dir)).start()
    block: BlockStanding | None = None
    try:
        began = time.monotonic()
        block = _awaited(endpoint, twin.label, patience)
        yield from _of_block(endpoint, twin.label, block, time.monotonic() - began)
        if block is not None and block.managers:
            yield from of_node(endpoint, twin.label, patience)
            yield _of_files(endpoint, provider, patience)
    finally:
        endpoint.shutdown(wait=False)
    if block is not None and block.job is not None:
        yield _given_back(provider, JobId(block.job), patience)
        if (found := survey_accounting(provider, JobId(block.job))) is not None:
            yield Finding("accounting", *found)


def _of_files(endpoint: Endpoint, provider: Provider, patience: float) -> Finding:
    if hasattr(getattr(provider, "channel", None), "forward"):
        says = "none is needed: files of a run go through the channel"
        return Finding("shared directory", True, says)
    return of_directory(endpoint, patience)


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


def _of_block(
    endpoint: Endpoint, label: str, block: BlockStanding | None, took: float
) -> Iterator[Finding]:
    if block is None:
        yield Finding("submission", False, f"no block was asked for within {took:.0f} s")
        return
    taken = block.job is not None
    yield Finding("submission", taken, f"job {block.job}" if taken else block.reason)
    if not taken:
        return
    executor = endpoint.executors[label]
    said = ""
    if isinstance(executor, HighThroughputExecutor):
        said = executor.last_words(block.block)
    if block.managers:
        yield Finding("block", True, f"a node was here after {took:.1f} s, {block.slots} workers")
    else:
        why = f": {block.reason}" if block.reason else ""
        yield Finding("block", False, f"{block.state} after {took:.1f} s, no node is here{why}")
    # A manager writes down each address by which it could not reach us.
    if said:
        yield Finding("its output", bool(block.managers), said)


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
