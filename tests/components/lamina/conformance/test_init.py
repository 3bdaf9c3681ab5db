import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina import conformance
from lamina.channels import LocalChannel
from lamina.conformance import (
    BLOCK_ERROR_POLICY,
    CHANNEL,
    EXECUTOR,
    LAUNCHER,
    MANAGER_SELECTOR,
    MEMO,
    PROVIDER,
    QUEUE_ORDER,
    RESOURCE_BINDER,
    RESULT_STORE,
    RETRY_POLICY,
    SCALING_STRATEGY,
    STAGING,
    Kit,
    run,
)
from lamina.executors import ThreadPoolExecutor
from lamina.htex_core import PriorityFirst, TurnManagerSelector
from lamina.launchers import SimpleLauncher
from lamina.memo import InMemoryMemo, InMemoryResultStore
from lamina.providers import LocalProvider
from lamina.resources import NodeBinder
from lamina.retry_policy import Default
from lamina.scaling import FailingBlocks, Simple
from lamina.staging import Direction
from tests.fakes.staging import FolderStaging
from tests.fakes.staging_bench import FolderBench


def bench(*directions: Direction) -> FolderBench:
    folder = Path(tempfile.mkdtemp())
    plugin = FolderStaging(str(folder), directions=directions)
    return FolderBench(plugin, lambda name: f"fake://h/{name}", folder)


GOOD: dict[Kit, Callable[[], Any]] = {
    BLOCK_ERROR_POLICY: FailingBlocks,
    CHANNEL: LocalChannel,
    EXECUTOR: ThreadPoolExecutor,
    LAUNCHER: SimpleLauncher,
    MANAGER_SELECTOR: TurnManagerSelector,
    MEMO: InMemoryMemo,
    PROVIDER: LocalProvider,
    QUEUE_ORDER: PriorityFirst,
    RESOURCE_BINDER: lambda: NodeBinder(available_accelerators=2, mem_per_worker=2**30),
    RESULT_STORE: InMemoryResultStore,
    RETRY_POLICY: Default,
    SCALING_STRATEGY: Simple,
    STAGING: lambda: bench(*Direction),
}


@pytest.mark.parametrize("kit", GOOD, ids=lambda kit: kit.name)
def test_a_kit_is_kept_by_what_does_as_its_protocol_says(kit: Kit) -> None:
    report = run(kit, GOOD[kit])
    assert report.kept, str(report)


def test_every_kit_is_tried_here() -> None:
    public = [getattr(conformance, name) for name in conformance.__all__]
    assert {one.name for one in public if isinstance(one, Kit)} == {kit.name for kit in GOOD}


def test_what_takes_nothing_away_owes_nothing_about_that() -> None:
    report = run(STAGING, lambda: bench(Direction.IN))
    assert report.kept, str(report)
