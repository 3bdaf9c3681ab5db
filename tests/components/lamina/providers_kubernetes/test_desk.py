"""The desk of one provider; what it does is told in test_provider.py, too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.providers import JobState, Luggage, ProviderUnavailable
from lamina.providers_kubernetes import KubernetesProvider
from lamina.vocabulary import JobId
from tests.components.lamina.providers_kubernetes.test_provider import request
from tests.fakes.kubernetes_api import Cluster, emulated, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Cluster, str]]:
    with emulated(tmp_path) as (cluster, config):
        yield cluster, config


def test_a_pod_of_somebody_else_is_told_of_and_not_touched(world: tuple[Cluster, str]) -> None:
    cluster, config = world
    theirs = {
        "metadata": {"name": "theirs", "labels": {}},
        "spec": {},
        "status": {"phase": "Failed", "reason": "Evicted"},
    }
    cluster.pods["theirs"] = theirs
    mine = KubernetesProvider("image", config_file=config)
    assert mine.poll([JobId("theirs")])[JobId("theirs")].state is JobState.PREEMPTED
    mine.cancel([JobId("theirs")])
    assert cluster.pods == {"theirs": theirs}
    cluster.pods.clear()


def test_what_may_not_be_removed_keeps_nothing_else_from_it(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    cluster, config = world
    mine = KubernetesProvider("image", config_file=config, status_polling_interval=0.1)
    job = mine.submit(request(tmp_path, "never", Luggage(files={"a": b"b"}, command="sleep 60")))
    refusal = ("DELETE secrets", 403, "you may not delete secrets")
    cluster.fails = [refusal, refusal]
    for _ in range(2):
        with pytest.raises(ProviderUnavailable, match="you may not delete secrets"):
            mine.cancel([job])
    assert not cluster.fails
    assert any(one[0] == "DELETE" and "/pods/" in one[1] for one in cluster.asked)
    mine.cancel([job])
    until(lambda: not cluster.pods and not cluster.secrets)
