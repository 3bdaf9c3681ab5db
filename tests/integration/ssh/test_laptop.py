"""A program behind a firewall, and a cluster that shares no file with it: SSH is all there is.

The program runs in a mount namespace of its own, in which its run directory is a file system of
its own, and the directory of the cluster is hidden. What it needs from there comes by SSH, and
its workers come back through the same connection.
"""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.batch import environment, run, until
from tests.integration.ssh.hosts import Hosts, cut_connections

pytestmark = [pytest.mark.service, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[3]
LEFT_WITHIN = 40.0  # seconds from the program's death until the queue is empty
# $1 is the laptop's, $2 the cluster's; both are there for everybody else.
HIDDEN = 'mount -t tmpfs laptop "$1" && mount -t tmpfs -o ro hidden "$2" && shift 2 && exec "$@"'


class Laptop:
    """The program, and what it has said."""

    def __init__(self, folder: Path, hosts: Hosts, slurm_conf: str, worker_init: str) -> None:
        mine, cluster = folder / "laptop", folder / "cluster"
        for one in (mine, cluster):
            one.mkdir()
        self.cluster = cluster
        self._said = folder / "said"
        program = [sys.executable, "-m", "tests.integration.ssh.laptop", str(mine), hosts.config]
        program += [str(cluster), slurm_conf, worker_init]
        hide = ["unshare", "--mount", "--propagation=private", "bash", "-c", HIDDEN, "bash"]
        with self._said.open("w") as output, (folder / "errors").open("w") as errors:
            self.process = subprocess.Popen(
                [*hide, str(mine), str(cluster), *program],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                text=True,
            )

    def asked_for(self, tasks: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{tasks}\n")
        self.process.stdin.flush()

    def said(self, what: str, seconds: float = 90.0) -> Any:
        """What it said of something; an error instead ends the wait."""

        def look() -> list[Any]:
            lines = [json.loads(line) for line in self._said.read_text().splitlines()]
            return [line for line in lines if what in line or "error" in line]

        [found, *_] = until(look, seconds)
        assert what in found, found
        return found[what] if what != "error" else found

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    facts = environment("slurm.sh")
    for name, value in facts.items():
        monkeypatch.setenv(name, value)
    yield facts
    until(lambda: not jobs(), LEFT_WITHIN)


def jobs() -> list[str]:
    return run("squeue", "--noheader", "--format=%i").split()


def test_a_laptop_drives_a_cluster_that_shares_nothing_with_it(
    hosts: Hosts, slurm: dict[str, str], tmp_path: Path
) -> None:
    laptop = Laptop(tmp_path, hosts, slurm["SLURM_CONF"], "")
    try:
        assert laptop.said("sees") is False
        assert laptop.said("here") is True
        assert laptop.said("there") == []
        assert laptop.said("hosts") == ["n1", "n2"]
        # What belongs to the run lies on the cluster, and the interchange's key does not.
        [place] = laptop.cluster.iterdir()
        assert {"keys", "manager.json"} < {path.name for path in place.iterdir()}
        assert not (place / "keys" / "interchange").exists()
        laptop.asked_for(8)
        laptop.said("begun")
        cut_connections()
        assert laptop.said("ended") == []
    finally:
        laptop.end()


def test_an_error_quotes_what_lies_on_the_cluster(
    hosts: Hosts, slurm: dict[str, str], tmp_path: Path
) -> None:
    init = f"echo {shlex.quote('no such module: python')} >&2; exit 3"
    # Without accounting, the exit code is known from the file that the script leaves there.
    laptop = Laptop(tmp_path, hosts, slurm["TESTBED_SLURM_NO_ACCOUNTING"], init)
    try:
        found = laptop.said("error")
        assert "no such module: python" in found["error"]
        assert "exit status 3" in found["error"]
    finally:
        laptop.end()


def test_a_laptop_that_dies_leaves_no_job(
    hosts: Hosts, slurm: dict[str, str], tmp_path: Path
) -> None:
    laptop = Laptop(tmp_path, hosts, slurm["SLURM_CONF"], "")
    try:
        assert laptop.said("hosts")
        laptop.asked_for(1000)
        laptop.said("begun")
        assert len(jobs()) == 2
        laptop.process.send_signal(signal.SIGKILL)
        laptop.process.wait()
        until(lambda: not jobs(), LEFT_WITHIN)
    finally:
        laptop.end()
