from typing import Any

import attrs
import pytest

from lamina.launchers import SimpleLauncher
from lamina.providers_batch import CondorProvider, PBSProProvider, SlurmProvider
from lamina.providers_batch import options as the
from lamina.vocabulary import ConfigError


def test_quantities_may_be_numbers_or_text() -> None:
    assert the.walltime("00:10:00") == the.walltime(600) == 600
    assert the.walltime(None) is None
    assert the.mem_per_node(2) == the.mem_per_node("2 GiB") == 2**31
    assert the.mem_per_node(None) is the.mem_per_slot(None) is None
    assert the.mem_per_slot(1) == 2**30
    assert the.cmd_timeout("1 min") == 60
    assert the.missing_after("2 min") == 120
    assert the.status_polling_interval("1 min") == 60


@pytest.mark.parametrize(
    "given, says",
    [
        ({"nodes_per_block": 0}, "nodes_per_block is 0; make it 1 or more as a whole number"),
        ({"nodes_per_block": 1.5}, "nodes_per_block is 1.5"),
        ({"nodes_per_block": True}, "nodes_per_block is True"),
        ({"cores_per_node": 0}, "cores_per_node is 0; .* or leave it out"),
        ({"max_blocks": 0}, "max_blocks is 0; make it 1"),
        ({"min_blocks": 2}, "make max_blocks the larger"),
        ({"init_blocks": 2}, "make max_blocks the larger"),
        ({"parallelism": -1}, "parallelism"),
        ({"partition": ""}, "partition is ''; write one line"),
        ({"partition": "a\nb"}, "partition"),
        ({"account": 3}, "account is 3"),
        ({"worker_init": ["module load"]}, "worker_init .* must be text"),
        ({"walltime": "soon"}, "walltime is 'soon'"),
        ({"mem_per_node": "much"}, "mem_per_node"),
        ({"launcher": "srun"}, "launcher is 'srun'"),
        ({"launcher": SlurmProvider}, "launcher"),
        ({"status_polling_interval": 0.1}, "status_polling_interval is 0.1; make it 1 or more"),
    ],
)
def test_what_cannot_work_is_refused_with_what_would(given: dict[str, Any], says: str) -> None:
    with pytest.raises(the.ConfigError, match=says):
        SlurmProvider(**given)


def test_managers_of_all_nodes_on_the_first_of_them_are_refused() -> None:
    with pytest.raises(
        the.ConfigError, match=r"write launcher=SrunLauncher\(\), or SimpleLauncher"
    ):
        SlurmProvider(nodes_per_block=2)
    with pytest.raises(the.ConfigError, match=r"write launcher=MpiExecLauncher\(\)"):
        PBSProProvider(nodes_per_block=2)
    assert SlurmProvider(nodes_per_block=2, launcher=SimpleLauncher()).nodes_per_block == 2


@pytest.mark.parametrize(
    "make, given, says",
    [
        (SlurmProvider, {"status_batch_size": 50}, "one squeue serves all jobs"),
        (SlurmProvider, {"move_files": True}, "scripts are always brought"),
        (CondorProvider, {"cmd_chunk_size": 100}, "one condor_q serves all jobs"),
    ],
)
def test_options_that_users_know_are_explained(make: Any, given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make(**given)


def test_sizes_survive_that_a_provider_is_made_again_from_its_own_fields() -> None:
    provider = SlurmProvider(mem_per_node=4)
    assert attrs.evolve(provider, partition="other").mem_per_node == 4 * 2**30
    pool = attrs.evolve(CondorProvider(mem_per_slot="1 GiB", environment={"A": "1"}), project="x")
    assert (pool.mem_per_slot, pool.environment) == (2**30, (("A", "1"),))
