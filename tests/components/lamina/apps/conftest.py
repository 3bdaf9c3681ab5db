from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.apps import load
from lamina.executors import ThreadPoolExecutor
from lamina.kernel import Config, DataFlowKernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[DataFlowKernel]:
    executors = [ThreadPoolExecutor(max_threads=4)]
    with load(Config(executors=executors, run_dir=tmp_path / "runs")) as loaded:
        yield loaded
