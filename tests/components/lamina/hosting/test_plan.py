import pytest

from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.hosting import EndpointConfig, render_plan
from lamina.plugins import ConfigErrors
from lamina.providers import LocalProvider
from lamina.providers_batch import SlurmProvider


def test_each_executor_has_its_part() -> None:
    config = EndpointConfig(
        executors=[HighThroughputExecutor("here", LocalProvider()), ThreadPoolExecutor()]
    )
    first, second = render_plan(config).split("\n\n")
    assert first.startswith("executor 'here', on provider 'local'\n  blocks ")
    assert second == "executor 'threads'\n  it runs in this program, without blocks"


def test_contradictions_of_all_executors_are_told_at_once() -> None:
    config = EndpointConfig(
        executors=[
            HighThroughputExecutor(label, SlurmProvider(cores_per_node=2), max_workers_per_node=4)
            for label in ("one", "two")
        ]
    )
    with pytest.raises(ConfigErrors) as caught:
        render_plan(config)
    assert [mistake.path for mistake in caught.value.mistakes] == ["one", "two"]
