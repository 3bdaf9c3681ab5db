from typing import Any

import pytest

from lamina.kernel import Config
from lamina.retry_policy import Never, Retries
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
    ],
)
def test_what_cannot_work_is_refused_with_what_would(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Config(**options)


def test_retries_are_a_policy() -> None:
    assert Config(retries=2).policy == Retries(2)
    never = Never()
    assert Config(retry_policy=never).policy is never


def test_making_a_config_starts_nothing() -> None:
    hand = HandExecutor()
    Config(executors=[hand])
    assert hand.starts == 0


def test_a_resolver_may_be_a_name_or_an_object() -> None:
    deep = Config(dependency_resolver="deep").resolver
    assert Config(dependency_resolver=deep).resolver is deep
