"""Tasks in pods, on an emulator of a cluster's HTTP interface that runs them as processes here."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_kubernetes import KubernetesProvider
from tests.fakes.kubernetes_api import Cluster, Json, emulated
from tests.integration.batch import until
from tests.integration.slurm.bodies import host_after

ENDS = 60  # seconds for whatever a test waits for


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Cluster, str]]:
    with emulated(tmp_path) as (cluster, config):
        yield cluster, config


def started(config: str, place: Path, **options: Any) -> HighThroughputExecutor:
    """An executor whose pods are emulated: this Python stands for that of the image."""
    provider = KubernetesProvider(
        "an-image",
        config_file=config,
        status_polling_interval=0.2,
        python=sys.executable,
        **{"init_blocks": 1, "max_blocks": 1, **options},
    )
    executor = HighThroughputExecutor("htex", provider, max_workers_per_node=1)
    executor.start(Site(run_dir=place))
    return executor


def test_tasks_run_in_pods_and_nothing_is_left(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    executor = started(config, tmp_path, min_blocks=2, max_blocks=2)
    try:
        futures = [executor.submit(host_after, 0.05) for _ in range(20)]
        assert [future.result(ENDS) for future in futures]
        until(lambda: len(executor.connected_managers()) == 2, ENDS)
        with cluster.lock:
            seen = str(cluster.pods)
            assert len(cluster.secrets) == 2
        key = (tmp_path / "htex" / "keys" / "manager").read_text()
        assert key not in seen
        assert key not in commands_of_all_processes()
    finally:
        executor.close(10.0)
    until(lambda: not cluster.pods and not cluster.secrets, ENDS)


def commands_of_all_processes() -> str:
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.append(Path(f"/proc/{name}/cmdline").read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


def test_a_pod_that_is_evicted_is_replaced(world: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, config = world
    executor = started(config, tmp_path, min_blocks=1)
    try:
        assert executor.submit(host_after, 0).result(ENDS)
        [name] = list(cluster.pods)
        [before] = [manager["uid"] for manager in executor.connected_managers()]

        def evict(pod: Json) -> None:
            pod["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "no memory left"}
            cluster.processes[name].kill()

        cluster.edit(name, evict)
        until(lambda: before not in str(executor.connected_managers()), ENDS)
        assert executor.submit(host_after, 0).result(ENDS)
        # Its manager may be missed before the pod is seen, which is then removed unread.
        ends = [one.state for one in executor.blocks() if one.job == name]
        assert ends in (["preempted"], ["cancelled"])
    finally:
        executor.close(10.0)


def test_an_executor_whose_pods_cannot_start_says_what_they_said(
    world: tuple[Cluster, str], tmp_path: Path
) -> None:
    executor = started(world[1], tmp_path, worker_init="echo no such module; exit 7")
    try:
        error = executor.submit(host_after, 0).exception(ENDS)
    finally:
        executor.close(10.0)
    assert "exit status 7" in str(error)
    assert "no such module" in str(error)
