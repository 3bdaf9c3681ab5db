import os
from typing import Any

import attrs
import pytest

from lamina.executors_htex import HighThroughputExecutor, Settings
from lamina.providers import LocalProvider
from lamina.vocabulary import ConfigError


def _settings(**kwargs: Any) -> Settings:
    return HighThroughputExecutor(**kwargs).settings


@attrs.frozen
class _FarProvider:
    label: str = "far"
    blocks_are_local: bool = False


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"max_workers_per_node": 0}, "1 or more"),
        ({"cores_per_worker": 0}, "more than 0"),
        ({"heartbeat_period": 30, "heartbeat_threshold": 50}, "make it 60 s or more"),
        ({"provider": _FarProvider()}, "needs address="),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_what_would(
    kwargs: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        HighThroughputExecutor(**kwargs)


def test_without_an_address_the_link_is_no_tcp_port() -> None:
    assert _settings().bind() is None


def test_the_port_is_a_free_one_unless_it_is_given() -> None:
    assert _settings(address="node1").bind() == "tcp://node1:*"
    assert _settings(address="node1", worker_port=5000).bind() == "tcp://node1:5000"


def test_workers_are_as_many_as_the_cores_and_the_limit_allow() -> None:
    cores = len(os.sched_getaffinity(0))
    assert _settings().workers is None
    assert _settings().workers_guess == cores
    assert _settings(max_workers_per_node=3).workers == 3
    assert _settings(cores_per_worker=0.5).workers == 2 * cores
    assert _settings(cores_per_worker=0.5, max_workers_per_node=1).workers == 1
    assert _settings(cores_per_worker=1000).workers == 1


def test_a_provider_of_this_machine_is_the_default() -> None:
    assert isinstance(_settings().provider, LocalProvider)
