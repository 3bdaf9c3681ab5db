"""One bad node among three, on real processes: it is found, said, emptied and replaced."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamina.apps import python_app
from lamina.events import MemorySink
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config, DataFlowKernel
from lamina.providers import LocalProvider
from lamina.scaling import Quarantine
from lamina.vocabulary import Event, UsageError
from tests.integration.htex.world import managers, until

PATIENCE = 60.0  # seconds
TASKS = 500
TAKES = 0.02  # seconds; half of it for one that fails


def bad_block(folder: Path) -> LocalProvider:
    """Three blocks, of which the first to start has a wrong environment."""
    return LocalProvider(
        init_blocks=3,
        min_blocks=3,
        max_blocks=3,
        status_polling_interval=0.05,
        worker_init=f"mkdir {folder}/first 2>/dev/null && export LIBRARY=/no/such/place",
    )


def needs_a_library(number: int, takes: float = TAKES) -> tuple[int, str]:
    if os.environ.get("LIBRARY"):
        time.sleep(takes / 2)
        raise ImportError(f"no library in {os.environ['LIBRARY']}")
    time.sleep(takes)
    return number, os.environ["LAMINA_BLOCK"]


def wrong(number: int) -> None:
    raise ValueError(f"{number} is wrong")


@contextmanager
def three(folder: Path, **options: Any) -> Iterator[tuple[Any, HighThroughputExecutor, MemorySink]]:
    sink = MemorySink()
    htex = HighThroughputExecutor(max_workers_per_node=1, provider=bad_block(folder), **options)
    config = Config(executors=[htex], run_dir=folder / "runs", event_sinks=[sink])
    with DataFlowKernel(config) as kernel:
        managers(htex, 3)
        yield kernel, htex, sink


def said(sink: MemorySink, kind: str) -> list[Event]:
    return [event for event in sink.events if event.kind == kind]


def test_one_bad_of_three_managers_is_set_aside_and_its_block_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with three(tmp_path) as (kernel, htex, sink), caplog.at_level(logging.WARNING):
        app = python_app(needs_a_library, data_flow_kernel=kernel, retries=0)
        futures = [app(number) for number in range(TASKS)]
        failed = [future for future in futures if future.exception(PATIENCE) is not None]
        assert {type(future.exception()) for future in failed} == {ImportError}
        (bad,) = htex.quarantined()
        until(lambda: said(sink, "node.quarantined"))
        (event,) = said(sink, "node.quarantined")
        assert event.facts["block"] == bad.block
        assert event.facts["failed"] == event.facts["ran"] >= 5
        assert event.facts["failed_elsewhere"] == 0
        assert event.facts["apps"] == ["needs_a_library"]
        # It leaves, and another block comes in its place.
        until(
            lambda: len(htex.connected_blocks()) == 3 and bad.block not in htex.connected_blocks()
        )
        good = [app(number, 0.0) for number in range(60)]
        blocks = {future.result(PATIENCE)[1] for future in good}
        assert bad.block not in blocks
        assert {int(block) for block in htex.connected_blocks()} - {0, 1, 2} == {3}
    (warning,) = [one for one in caplog.records if "aside" in one.getMessage()]
    text = warning.getMessage()
    for part in (f"node {bad.node}", "'needs_a_library'", "0 of ", "lift_quarantine", bad.block):
        assert part in text


def test_with_a_retry_policy_no_task_is_lost_to_it(tmp_path: Path) -> None:
    with three(tmp_path) as (kernel, htex, _):
        app = python_app(needs_a_library, data_flow_kernel=kernel, retries=1000)
        futures = [app(number) for number in range(TASKS)]
        assert [future.result(PATIENCE)[0] for future in futures] == list(range(TASKS))
        assert len(htex.quarantined()) == 1


def test_what_fails_everywhere_sets_no_node_aside(tmp_path: Path) -> None:
    with three(tmp_path, quarantine=Quarantine(least=2, evidence=1)) as (kernel, htex, sink):
        failing = python_app(wrong, data_flow_kernel=kernel, retries=0)
        futures = [failing(number) for number in range(100)]
        assert all(isinstance(future.exception(PATIENCE), ValueError) for future in futures)
        assert htex.quarantined() == []
        assert len(htex.connected_blocks()) == 3
    assert said(sink, "node.quarantined") == []


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with three(tmp_path, quarantine=None) as (kernel, htex, sink):
        app = python_app(needs_a_library, data_flow_kernel=kernel, retries=0)
        futures = [app(number) for number in range(TASKS // 2)]
        assert any(future.exception(PATIENCE) is not None for future in futures)
        assert htex.quarantined() == []
        assert len(htex.connected_blocks()) == 3
        with pytest.raises(UsageError, match="its quarantine is off"):
            htex.lift_quarantine("n1")
    assert said(sink, "node.quarantined") == []
