import inspect
from typing import Any

import attrs
import pytest

from lamina.providers_batch import CondorProvider, SlurmProvider
from lamina.providers_batch.known import explains
from lamina.vocabulary import ConfigError


@explains(colour="nobody can see it")
@attrs.frozen
class _Thing:
    size: int = 1


def test_a_known_option_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="_Thing has no option colour, because nobody can see it"):
        _Thing(colour="red")  # type: ignore[arg-type]


def test_all_else_is_as_it_was() -> None:
    assert _Thing(2) == _Thing(size=2) == attrs.evolve(_Thing(), size=2)
    assert list(inspect.signature(_Thing).parameters) == ["size"]
    with pytest.raises(TypeError, match="taste"):
        _Thing(taste=1)


@pytest.mark.parametrize(
    "make, given, says",
    [
        (SlurmProvider, {"status_batch_size": 50}, "one squeue serves all jobs"),
        (SlurmProvider, {"move_files": True}, "scripts are brought"),
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
