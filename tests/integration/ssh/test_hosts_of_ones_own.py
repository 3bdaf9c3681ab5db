"""Blocks on hosts that are reached over SSH, with a real sshd: AdHocProvider."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.conformance import PROVIDER
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers import AdHocProvider, JobState
from tests.integration.batch import reaches, request, until
from tests.integration.ssh.bodies import host_and_pid
from tests.integration.ssh.hosts import PATIENCE, Hosts, sshd
from tests.kits import as_tests

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    yield
    for name in ("key", "wide"):
        sshd("start", name)


def made(hosts: Hosts, **options: object) -> AdHocProvider:
    channels = [hosts.channel(name, python=sys.executable) for name in ("key", "wide")]
    given = {"status_polling_interval": 0.5, **options}
    return AdHocProvider(channels=channels, **given)  # type: ignore[arg-type]


class TestKit(as_tests(PROVIDER, lambda: made(TestKit.hosts))):  # type: ignore[misc]
    hosts: Hosts

    @pytest.fixture(autouse=True)
    def servers(self, hosts: Hosts) -> None:
        TestKit.hosts = hosts


def test_tasks_run_on_both_hosts_and_nothing_is_left(hosts: Hosts, tmp_path: Path) -> None:
    mine = made(hosts, min_blocks=2)
    executor = HighThroughputExecutor("hosts", mine, max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path))
    try:
        until(lambda: len(executor.connected_managers()) == 2, PATIENCE)
        names = {info["host"] for info in executor.connected_managers()}
        futures = [executor.submit(host_and_pid, number) for number in range(20)]
        assert {future.result(PATIENCE)[1] for future in futures} <= names
        jobs = [one.job for one in executor.blocks()]
    finally:
        executor.close(10.0)
    for job in jobs:
        assert job is not None
        assert reaches(mine, job, JobState.COMPLETED, JobState.CANCELLED, seconds=PATIENCE)
    for channel in mine.channels:
        left = channel.run(["bash", "-c", "ls -d /tmp/lamina-* 2>/dev/null || true"], timeout=30)
        places = [job.partition(".")[2].partition(".")[2] for job in jobs if job is not None]
        assert not [place for place in places if place in left.stdout]


def test_a_host_that_crashes_is_silent_and_its_neighbour_goes_on(
    hosts: Hosts, tmp_path: Path
) -> None:
    mine = made(hosts, cmd_timeout=20)
    jobs = [mine.submit(request(tmp_path, "sleep 100", name)) for name in ("a", "b")]
    sshd("crash", "key")
    until(lambda: mine.poll(jobs)[jobs[0]].state is JobState.UNKNOWN, PATIENCE)
    assert mine.poll(jobs)[jobs[1]].state is JobState.RUNNING
    sshd("start", "key")
    mine.cancel(jobs)
    # What ran on the host that crashed went with it.
    assert reaches(mine, jobs[0], JobState.CANCELLED, JobState.GONE, seconds=PATIENCE)
    assert reaches(mine, jobs[1], JobState.CANCELLED, seconds=PATIENCE)
