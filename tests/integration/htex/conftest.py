"""Executors whose processes the tests bring to harm."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor

WORKERS = 2

Make: TypeAlias = Callable[..., HighThroughputExecutor]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(run_dir=tmp_path)


@pytest.fixture
def make(site: Site) -> Iterator[Make]:
    """Start executors with these options; they are closed at the end of the test."""
    made: list[HighThroughputExecutor] = []

    def start(**options: Any) -> HighThroughputExecutor:
        options = {
            "label": f"htex-{len(made)}",
            "max_workers_per_node": WORKERS,
            "strategy": None,
            **options,
        }
        executor = HighThroughputExecutor(**options)
        executor.start(site)
        made.append(executor)
        return executor

    try:
        yield start
    finally:
        for executor in made:
            executor.close(timeout=5.0)


@pytest.fixture
def executor(make: Make) -> HighThroughputExecutor:
    return make()
