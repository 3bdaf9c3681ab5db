import copy
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.conformance import EXECUTOR
from lamina.executors import AlreadyStartedError, Load, NotStartedError, Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.plugins import PluginError
from lamina.providers import LocalProvider
from tests.kits import as_tests


def _two_workers() -> HighThroughputExecutor:
    return HighThroughputExecutor(max_workers_per_node=2)


TestConformance = as_tests(EXECUTOR, _two_workers)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[HighThroughputExecutor]:
    executor = HighThroughputExecutor("mine", max_workers_per_node=2)
    executor.start(Site(run_dir=tmp_path))
    yield executor
    executor.close(timeout=5.0)


def test_making_one_starts_nothing(tmp_path: Path) -> None:
    executor = HighThroughputExecutor("mine")
    assert executor.label == "mine"
    assert executor.load() == Load(0, 0)
    assert executor.connected_managers() == []
    executor.cancel([])
    executor.close()
    with pytest.raises(NotStartedError):
        executor.launch([], lambda news: None)


def test_a_codec_that_is_not_there_is_named_at_the_start(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(codec="no_such_module:Codec")
    with pytest.raises(PluginError, match="no_such_module"):
        executor.start(Site(run_dir=tmp_path))


def test_a_manager_shows_its_block_and_its_slots(started: HighThroughputExecutor) -> None:
    assert started.submit(abs, -3).result(10.0) == 3
    (manager,) = started.connected_managers()
    assert manager["slots"] == 2
    assert started.connected_blocks() == [manager["block"]]
    assert started.load().slots == 2
    assert started.outstanding() == 0


def test_what_lies_in_the_run_directory_is_for_the_user_alone(
    started: HighThroughputExecutor, tmp_path: Path
) -> None:
    assert started.submit(abs, -3).result(10.0) == 3
    assert (tmp_path / "mine" / "manager.json").stat().st_mode & 0o777 == 0o600


def test_a_copy_has_the_settings_and_nothing_that_runs(
    started: HighThroughputExecutor, tmp_path: Path
) -> None:
    twin = copy.copy(started)
    assert twin.settings == started.settings
    assert twin.load() == Load(0, 0)
    with pytest.raises(AlreadyStartedError):
        started.start(Site(run_dir=tmp_path))


def test_it_is_a_standard_pool() -> None:
    with _two_workers() as pool:
        assert list(pool.map(abs, range(-3, 0))) == [3, 2, 1]


def test_it_says_which_blocks_it_has_and_has_as_many_as_it_is_told(
    started: HighThroughputExecutor,
) -> None:
    assert started.submit(abs, -3).result(10.0) == 3
    (block,) = started.blocks()
    assert (block.block, block.managers, block.slots) == ("0", 1, 2)
    started.scale(0)
    for _ in range(1000):
        if [one.state for one in started.blocks()] == ["cancelled"]:
            break
        threading.Event().wait(0.01)
    assert [one.state for one in started.blocks()] == ["cancelled"]


def test_one_that_does_not_run_has_no_blocks() -> None:
    executor = HighThroughputExecutor("mine")
    assert executor.blocks() == []
    with pytest.raises(NotStartedError):
        executor.scale(1)


def test_it_says_where_nodes_find_it_and_what_blocks_have_written(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(
        "mine",
        LocalProvider(worker_init="echo said by the block"),
        max_workers_per_node=1,
        address="127.0.0.1",
    )
    assert (list(executor.addresses()), executor.last_words("0")) == ([], "")
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.submit(abs, -1).result(60) == 1
        [address] = executor.addresses()
        assert address.startswith("tcp://127.0.0.1:")
        assert executor.last_words("0") == "The last lines of its stdout:\nsaid by the block"
    finally:
        executor.close(timeout=5.0)
