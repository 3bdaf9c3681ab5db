from pathlib import Path
from typing import Any

import pytest

from lamina.events import MemorySink
from lamina.kernel import Config
from lamina.memo import InMemoryMemo, StoredMemo
from lamina.memo_log import LogResultStore
from lamina.plugins import ConfigErrors
from lamina.retry_policy import CostBudget, Never, Retries, TaskRecord
from lamina.routing import RoundRobin
from lamina.vocabulary import ConfigError
from tests.fakes.executors import HandExecutor


@pytest.mark.parametrize(
    "options, text",
    [
        ({"executors": []}, "at least one"),
        ({"executors": HandExecutor()}, r"executors=\[it\]"),
        ({"executors": [HandExecutor("a"), HandExecutor("a")]}, "label 'a'"),
        ({"retries": -1}, "0 or more"),
        ({"retries": 1, "retry_policy": Never()}, "both given"),
        ({"internal_tasks_max_threads": 0}, "1 or more"),
        ({"exit_mode": "leave"}, "'cleanup', 'skip', 'wait'"),
        ({"dependency_resolver": "depe"}, "'shallow', 'deep'"),
        ({"dependency_resolver": 3}, "'shallow', 'deep', or a resolver"),
        ({"executors": 3}, "write a list"),
        ({"executors": [3]}, r"executors\[0\] is 3; it must be an executor"),
        ({"executors": [HandExecutor]}, r"executors\[0\] is <class"),
        ({"executors": [HandExecutor("")]}, "it must be a name"),
        ({"executors": [HandExecutor("kernel")]}, "label='kernel2'"),
        ({"retries": True}, "whole number"),
        ({"retries": "2"}, "whole number"),
        ({"retry_handler": 3}, "a function of an exception and a task record"),
        ({"retry_handler": print, "retry_policy": Never()}, r"CostBudget\(retries, handler\)"),
        ({"retry_policy": 3}, r"such as Retries\(2\)"),
        ({"retry_policy": Never}, r"such as Retries\(2\)"),
        ({"memoizer": {}}, r"such as InMemoryMemo\(\)"),
        ({"router": "round_robin"}, r"such as RoundRobin\(\)"),
        ({"event_sinks": MemorySink()}, "is one sink; write a list"),
        ({"event_sinks": 3}, "is 3; write a list"),
        ({"event_sinks": [print]}, r"event_sinks\[0\]"),
        ({"std_autopath": "/tmp"}, "must be a function"),
        ({"run_dir": 3}, "must be a path"),
        ({"storage_access": "http"}, "write a list of staging plug-ins"),
        ({"storage_access": ["file", "carrier-pigeon"]}, "names 'carrier-pigeon': there is no"),
        ({"staging_cache_limit": "much"}, "write bytes"),
        ({"staging_walltime": "soon"}, "write seconds"),
        ({"staging_walltime": 0}, "write seconds"),
        ({"staging_max_threads": 0}, "1 or more"),
    ],
)
def test_what_cannot_work_is_refused_with_what_would(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Config(**options)


def test_all_that_cannot_work_is_told_at_once() -> None:
    with pytest.raises(ConfigErrors) as caught:
        Config(executors=[], retries=-1, router=3, event_sinks=[4], exit_mode="leave")  # type: ignore[arg-type,list-item]
    told = [mistake.says.split()[0] for mistake in caught.value.mistakes]
    assert told == ["executors", "retries", "router", "event_sinks[0]", "exit_mode"]


def test_what_works_is_taken() -> None:
    config = Config(
        executors=(HandExecutor(name) for name in "ab"),
        memoizer=InMemoryMemo(),
        router=RoundRobin(),
        event_sinks=[MemorySink()],
        std_autopath=lambda task, name, stream: stream,
        run_dir=Path("runs"),
    )
    assert [executor.label for executor in config.executors] == ["a", "b"]
    assert len(config.event_sinks) == 1


def price(error: BaseException, task: TaskRecord) -> float:
    return 1


def test_settings_of_checkpoints_that_cannot_work_are_refused() -> None:
    memo: dict[str, Any] = {"memoizer": InMemoryMemo()}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"checkpoint_mode": "often"}, "it must be one of 'task_exit', 'periodic'"),
        ({"checkpoint_mode": "periodic"}, "which needs one, such as"),
        ({"checkpoint_mode": "task_exit", "checkpoint_period": 5}, 'a period is for "periodic"'),
        ({"checkpoint_mode": "periodic", "checkpoint_period": "soon"}, "checkpoint_period is"),
        ({"checkpoint_files": "runinfo"}, "write a list of run directories"),
        ({"checkpoint_files": [3]}, "write a list of run directories"),
        ({**memo, "checkpoint_mode": "task_exit"}, r"memoizer=StoredMemo\(LogResultStore"),
        ({**memo, "checkpoint_files": ["x"]}, r"memoizer=StoredMemo\(LogResultStore"),
        ({"memo_files": "date"}, "it must be one of 'name', 'stat', 'content'"),
    ]
    for options, text in refused:
        with pytest.raises(ConfigErrors, match=text):
            Config(**options)


def test_each_kernel_gets_a_memo_of_its_own() -> None:
    config = Config(executors=[HandExecutor()], checkpoint_mode="task_exit")
    assert config.make_memo() is not config.make_memo()
    given = InMemoryMemo()
    assert Config(executors=[HandExecutor()], memoizer=given).make_memo() is given


def test_the_mode_says_when_results_are_safe() -> None:
    for mode, period, durability, interval in (
        ("task_exit", None, "interval", 0.5),
        ("periodic", "00:30:00", "interval", 1800.0),
        ("dfk_exit", None, "close", 0.5),
        ("manual", None, "close", 0.5),
    ):
        settings: Any = {"checkpoint_mode": mode, "checkpoint_period": period}
        memo = Config(executors=[HandExecutor()], **settings).make_memo()
        assert isinstance(memo, StoredMemo)
        assert isinstance(memo.store, LogResultStore)
        assert (memo.store.durability, memo.store.interval) == (durability, interval)


def test_retries_are_a_policy() -> None:
    assert Config(retries=2).policy == Retries(2)
    never = Never()
    assert Config(retry_policy=never).policy is never
    assert Config(retries=2, retry_handler=price).policy == CostBudget(2, price)
    assert Config(retry_handler=price).policy == CostBudget(0, price)


def test_making_a_config_starts_nothing() -> None:
    hand = HandExecutor()
    Config(executors=[hand])
    assert hand.starts == 0


def test_a_resolver_may_be_a_name_or_an_object() -> None:
    deep = Config(dependency_resolver="deep").resolver
    assert Config(dependency_resolver=deep).resolver is deep
