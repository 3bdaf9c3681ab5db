"""Launchers that enter the nodes of a block by SSH: two hosts, each with a name of its own."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lamina.conformance import LAUNCHER
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.launchers import GnuParallelLauncher, Launcher, MpiExecLauncher
from lamina.providers import LocalProvider
from tests.integration.batch import shim, until
from tests.integration.ssh.bodies import host_and_pid
from tests.integration.ssh.hosts import PATIENCE, Hosts
from tests.kits import as_tests

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

SSH = "lamina-test-ssh"  # a program on PATH, so that no launcher needs to quote it
OPENMPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_plm_rsh_no_tree_spawn": "1",
    "OMPI_MCA_btl": "tcp,self",
}
# The hosts share /tmp, where daemons of Open MPI would remove each other's files; and they keep
# sockets there, whose paths must be short.
OWN_TMP = """
words=()
while [[ $1 == -* ]]; do words+=("$1"); shift; done
command="export OMPI_MCA_orte_tmpdir_base=$(mktemp -d -p "$LAMINA_TEST_TMP"); ${*:2}"
set -- "${words[@]}" "$1"
"""
MPICH = {"HYDRA_LAUNCHER": "ssh", "HYDRA_LAUNCHER_EXEC": SSH}


@pytest.fixture
def nodes(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say which nodes the block has."""
    monkeypatch.setenv("PATH", os.environ["PATH"])  # what `shim` adds is taken back
    shim(tmp_path / "bin", SSH, f'exec ssh -F {hosts.config} "$@"')
    file = tmp_path / "nodes"
    for name in ("SLURM_JOB_NODELIST", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PBS_NODEFILE", str(file))

    def have(*names: str) -> None:
        file.write_text("".join(f"{name}\n" for name in names))

    return have


class TestGnuParallel(
    as_tests(LAUNCHER, lambda: GnuParallelLauncher(overrides=f"--ssh {SSH}"))  # type: ignore[misc]
):
    @pytest.fixture(autouse=True)
    def one_node(self, nodes: Callable[..., None]) -> None:
        nodes("wide")


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(params=["gnu_parallel", "openmpi", "mpich"])
def launcher(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    hosts: Hosts,
    nodes: Callable[..., None],
    short: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Launcher:
    nodes("key", "wide")
    if request.param == "gnu_parallel":
        return GnuParallelLauncher(overrides=f"--ssh {SSH}")
    shim(tmp_path / "bin", "mpiexec", f'exec /usr/bin/mpiexec.{request.param} "$@"')
    if request.param == "openmpi":
        monkeypatch.setenv("LAMINA_TEST_TMP", str(short))
        # With a plain name Open MPI 4 waits for ever.
        monkeypatch.setenv("OMPI_MCA_plm_rsh_agent", str(tmp_path / "bin" / SSH))
        shim(tmp_path / "bin", SSH, f'{OWN_TMP}\nexec ssh -F {hosts.config} "$@" "$command"')
    for name, value in (OPENMPI if request.param == "openmpi" else MPICH).items():
        monkeypatch.setenv(name, value)
    return MpiExecLauncher()


@pytest.fixture
def executor(launcher: Launcher, tmp_path: Path) -> Iterator[HighThroughputExecutor]:
    """One block of two nodes."""
    one = HighThroughputExecutor(
        "htex",
        LocalProvider(nodes_per_block=2, launcher=launcher),
        address="127.0.0.1",
        max_workers_per_node=1,
    )
    one.start(Site(run_dir=tmp_path))
    with closing(one):
        yield one


def test_a_block_has_a_manager_on_each_of_its_nodes(executor: HighThroughputExecutor) -> None:
    until(lambda: len(executor.connected_managers()) == 2, PATIENCE)
    futures = [executor.submit(host_and_pid, number) for number in range(50)]
    assert {future.result(PATIENCE)[1] for future in futures} == {"ssh-key", "ssh-wide"}
