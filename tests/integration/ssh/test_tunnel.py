"""A program that reaches a host by SSH only, and workers there that find the way back."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamina.channels import ChannelError, Forward
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.providers_batch import SlurmProvider
from tests.integration.batch import environment, run, until
from tests.integration.ssh.bodies import doubled, host_and_pid
from tests.integration.ssh.hosts import PATIENCE, Hosts, cut_connections, sshd
from tests.integration.ssh.over_ssh import OverSSH

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    yield
    for name in ("key", "wide"):
        sshd("start", name)


@contextmanager
def listening() -> Iterator[int]:
    """Says back one thing to each who comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.sendall(b"here")
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def heard(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5) as link:
            return link.recv(100) == b"here"
    except OSError:
        return False


def outside(forward: Forward) -> list[str]:
    """The hosts by which another one could come."""
    return [host for host in forward.hosts if host.count(".") == 3 and host != "127.0.0.1"]


@pytest.mark.parametrize(
    "server, kind, reached", [("key", "relay", True), ("wide", "gateway", True)]
)
def test_other_hosts_find_the_way_in(hosts: Hosts, server: str, kind: str, reached: bool) -> None:
    with listening() as port:
        forward = hosts.channel(server, tunnel=kind, python=sys.executable).forward(port)
        assert outside(forward)
        assert all(heard(host, forward.port) for host in outside(forward)) is reached


def test_at_the_loopback_interface_only_the_host_itself_does(hosts: Hosts) -> None:
    with listening() as port:
        open_to_all = hosts.channel("key", tunnel="relay", python=sys.executable).forward(port)
        forward = hosts.channel("key", tunnel="loopback").forward(port)
        assert heard("127.0.0.1", forward.port)
        assert not any(heard(host, forward.port) for host in outside(open_to_all))


def test_a_server_that_forwards_nothing_says_what_must_be_allowed(hosts: Hosts) -> None:
    with pytest.raises(ChannelError, match="AllowTcpForwarding"):
        hosts.channel("shut").forward(1)


@contextmanager
def executor(run_dir: Path, provider: Any, **options: Any) -> Iterator[HighThroughputExecutor]:
    one = HighThroughputExecutor("far", provider, **options)
    one.start(Site(run_dir=run_dir))
    with closing(one):
        yield one


@pytest.mark.parametrize("server, kind", [("key", "loopback"), ("key", "relay"), ("far", "relay")])
def test_tasks_run_on_a_host_that_is_reached_by_ssh_only(
    hosts: Hosts, tmp_path: Path, server: str, kind: str
) -> None:
    channel = hosts.channel(
        server, tunnel=kind, python=sys.executable, script_dir=str(tmp_path / "there")
    )
    with executor(tmp_path, OverSSH(channel=channel), max_workers_per_node=2) as far:
        futures = [far.submit(host_and_pid, number) for number in range(200)]
        results = [future.result(PATIENCE) for future in futures]
        assert [number for number, _, _ in results] == list(range(200))
        assert {host for _, host, _ in results} == {"ssh-wide" if server == "far" else "ssh-key"}
        big = os.urandom(5_000_000)
        assert far.submit(doubled, big).result(PATIENCE) == big + big


def test_workers_come_back_after_the_connection_was_cut(hosts: Hosts, tmp_path: Path) -> None:
    channel = hosts.channel("key", script_dir=str(tmp_path / "there"), python=sys.executable)
    provider = OverSSH(channel=channel)
    with executor(tmp_path, provider, max_workers_per_node=1) as far:
        far.submit(host_and_pid, 0).result(PATIENCE)
        during = far.submit(time.sleep, 3)
        until(lambda: far.load().outstanding == 1)
        cut_connections()
        after = [far.submit(host_and_pid, number) for number in range(20)]
        assert [future.result(PATIENCE)[0] for future in after] == list(range(20))
        assert during.result(PATIENCE) is None
    assert len(far.blocks()) <= 1


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("slurm.sh").items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("slurm")
def test_tasks_run_on_slurm_behind_a_host_that_is_reached_by_ssh_only(
    hosts: Hosts, tmp_path: Path
) -> None:
    channel = hosts.channel(
        "key",
        python=sys.executable,
        script_dir=str(tmp_path / "there"),
        envs={"SLURM_CONF": os.environ["SLURM_CONF"]},
    )
    provider = SlurmProvider(
        channel=channel,
        init_blocks=2,
        min_blocks=2,
        max_blocks=2,
        walltime="00:05:00",
        status_polling_interval=1,
    )
    with executor(tmp_path, provider) as far:
        until(lambda: len(far.connected_managers()) == 2, PATIENCE)
        futures = [far.submit(host_and_pid, number) for number in range(400)]
        results = [future.result(PATIENCE) for future in futures]
        assert [number for number, _, _ in results] == list(range(400))
        assert {host for _, host, _ in results} == {"n1", "n2"}
    until(lambda: not run("squeue", "--noheader", "--format=%i").split())
