"""The desk of one provider; what it does is told in test_provider.py, too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.providers import JobState
from lamina.providers_kubernetes import KubernetesProvider
from lamina.vocabulary import JobId
from tests.fakes.kubernetes_api import Cluster, emulated


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
