from pathlib import Path

import pytest

from lamina.apps import clear, dfk, load, wait_for_current_tasks
from lamina.apps.registry import current
from lamina.kernel import Config
from lamina.vocabulary import ConfigError, NoDataFlowKernelError


def test_closing_the_kernel_makes_room_for_another(tmp_path: Path) -> None:
    config = Config(run_dir=tmp_path)
    kernel = load(config)
    assert dfk() is current() is kernel
    wait_for_current_tasks(5)
    with pytest.raises(ConfigError, match="loaded already"):
        load(config)
    kernel.close()
    with load(config) as other:
        assert dfk() is other
    assert current() is None


def test_a_kernel_that_is_forgotten_is_not_closed(tmp_path: Path) -> None:
    first = load(Config(run_dir=tmp_path))
    clear()
    with pytest.raises(NoDataFlowKernelError):
        dfk()
    with load(Config(run_dir=tmp_path)) as second:
        assert not first.closed
        first.close()
        assert dfk() is second
