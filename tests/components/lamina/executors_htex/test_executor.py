import copy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.conformance import EXECUTOR
from lamina.executors import AlreadyStartedError, Load, NotStartedError, Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.plugins import PluginError, construct
from lamina.providers import LocalProvider
from lamina.scaling import (
    AllFailed,
    AnyFailed,
    FailingBlocks,
    Guards,
    HtexAutoScale,
    LastFailed,
    NoScaling,
    Off,
    Simple,
    Steady,
)
from lamina.vocabulary import UsageError
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


def test_a_strategy_is_a_name_or_options_or_an_object() -> None:
    def strategy(given: Any) -> Any:
        return HighThroughputExecutor(strategy=given).settings.strategy

    assert strategy(None) == HtexAutoScale()
    assert strategy("simple") == Simple()
    assert strategy("none") == NoScaling()
    assert strategy({"use": "steady", "finish_within": "5 min"}) == Steady(finish_within=300.0)
    assert strategy(Steady()) == Steady()


def test_a_block_error_handler_is_a_word_or_a_name_or_an_object() -> None:
    def policy(given: Any) -> Any:
        return HighThroughputExecutor(block_error_handler=given).settings.block_error_policy

    assert policy(True) == FailingBlocks()
    assert policy(False) == Off()
    assert policy("all_failed") == AllFailed()
    assert policy({"use": "last_failed", "threshold": 2}) == LastFailed(threshold=2)
    assert policy(AnyFailed(last=3)) == AnyFailed(last=3)


def test_a_file_may_choose_strategy_policy_and_guards() -> None:
    made = construct(
        "executors",
        {
            "use": "htex",
            "strategy": "none",
            "block_error_handler": False,
            "guards": {"max_young": 3, "young": "2 min"},
        },
    )
    settings = made.settings
    assert (settings.strategy, settings.block_error_policy) == (NoScaling(), Off())
    assert settings.guards == Guards(max_young=3, young=120.0)


def test_a_block_is_drained_held_and_held_no_more(started: HighThroughputExecutor) -> None:
    assert started.submit(abs, -3).result(30.0) == 3
    started.hold_block("0")
    assert started.load().slots == 0
    started.unhold_block("0")
    assert started.load().slots == 2
    started.drain("0")
    for _ in range(3000):
        if not started.connected_managers():
            break
        threading.Event().wait(0.01)
    assert started.connected_managers() == []


def test_all_blocks_may_be_drained_together(started: HighThroughputExecutor) -> None:
    assert started.submit(abs, -3).result(30.0) == 3
    started.drain()
    assert started.load().slots == 0


def test_it_says_what_it_is_and_can(started: HighThroughputExecutor) -> None:
    assert repr(started).startswith("HighThroughputExecutor(")
    assert "'mine'" in repr(started)
    able = started.capabilities
    assert able.stops_running_tasks
    assert able.own_processes
    assert "cores" in able.resources


def test_only_a_node_that_is_set_aside_can_be_taken_back(tmp_path: Path) -> None:
    executor = HighThroughputExecutor("mine", quarantine=None)
    assert executor.quarantined() == []
    with pytest.raises(NotStartedError):
        executor.lift_quarantine("n1")
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.quarantined() == []
        with pytest.raises(UsageError, match="quarantine is off"):
            executor.lift_quarantine("n1")
    finally:
        executor.close(timeout=5.0)


def test_a_node_that_is_not_set_aside_is_refused(started: HighThroughputExecutor) -> None:
    assert started.quarantined() == []
    with pytest.raises(UsageError, match="n1"):
        started.lift_quarantine("n1")


def test_a_block_that_is_not_there_is_refused_with_those_that_are(
    started: HighThroughputExecutor,
) -> None:
    assert started.submit(abs, -3).result(30.0) == 3
    with pytest.raises(UsageError, match="no block '7' that waits or runs; there are: 0"):
        started.drain("7")
    with pytest.raises(UsageError, match="no block '7'"):
        started.hold_block("7")
    with pytest.raises(UsageError, match="no block '7'"):
        started.unhold_block("7")


def test_one_that_does_not_run_drains_nothing() -> None:
    executor = HighThroughputExecutor("mine")
    for ask in (
        executor.drain,
        lambda: executor.hold_block("0"),
        lambda: executor.unhold_block("0"),
    ):
        with pytest.raises(NotStartedError):
            ask()


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
