"""Tests with the real sshd of development/testbed; it is started if it does not run."""

from collections.abc import Iterator

import pytest

from tests.integration.batch import environment, operate
from tests.integration.ssh.hosts import Hosts


@pytest.fixture(scope="session", autouse=True)
def ssh_environment() -> Iterator[dict[str, str]]:
    ours = "up" not in operate("sshd.sh", "status")
    if ours:
        operate("sshd.sh", "up")
    yield environment("sshd.sh")
    if ours:
        operate("sshd.sh", "down")


@pytest.fixture
def hosts(ssh_environment: dict[str, str]) -> Iterator[Hosts]:
    hosts = Hosts(ssh_environment)
    yield hosts
    hosts.close()
