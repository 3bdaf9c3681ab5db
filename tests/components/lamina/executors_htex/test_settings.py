import os
from typing import Any

import attrs
import pytest

from lamina.executors_htex import HighThroughputExecutor, Settings
from lamina.executors_htex.settings import first_installed
from lamina.htex_core import PriorityFirst, RandomManagerSelector, ShortestFirst
from lamina.plugins import ConfigErrors, construct
from lamina.providers import LocalProvider
from lamina.resources import MPIBinder, NodeBinder
from lamina.scaling import Quarantine
from lamina.vocabulary import ConfigError


def _settings(**kwargs: Any) -> Settings:
    return HighThroughputExecutor(**kwargs).settings


@attrs.frozen(kw_only=True)
class _FarProvider(LocalProvider):
    @property
    def blocks_are_local(self) -> bool:
        return False


def _homeless() -> type[NodeBinder]:
    class Homeless(NodeBinder):
        pass

    return Homeless


_Homeless = _homeless()


def _local_selector() -> object:
    class Local(RandomManagerSelector):
        pass

    return Local()


@pytest.mark.parametrize(
    "kwargs, says",
    [
        ({"label": ""}, "a name that a directory can have"),
        ({"label": "a/b"}, "a name that a directory can have"),
        ({"label": ".."}, "a name that a directory can have"),
        ({"label": 3}, "a name that a directory can have"),
        ({"provider": "slurm"}, r"such as LocalProvider\(\)"),
        ({"provider": LocalProvider}, r"such as LocalProvider\(\)"),
        ({"strategy": object()}, r"such as Simple\(\)"),
        ({"strategy": "smiple"}, "simple"),
        ({"strategy_period": 0}, "strategy_period is 0 s; it must be more than 0"),
        ({"block_error_handler": print}, "a function of Parsl is none"),
        ({"block_error_handler": "some_failed"}, "last_failed"),
        ({"guards": {}}, r"Guards\(max_young=5\)"),
        ({"encrypted": "no"}, "True or False"),
        ({"max_workers_per_node": 0}, "1 or more"),
        ({"max_workers_per_node": 1.5}, "whole number"),
        ({"max_workers_per_node": True}, "whole number"),
        ({"worker_memory_limit": 3}, "1048576 or more"),
        ({"worker_memory_limit": "4 loaves"}, 'such as "4 GiB"'),
        ({"prefetch_capacity": -1}, "a whole number, 0 to 1000000"),
        ({"prefetch_capacity": 1.5}, "or None for as many as are short"),
        ({"initializer": "setup"}, "it must be a function, or None"),
        ({"initializer": print, "initargs": 3}, r"write a tuple, such as \(1, 2\)"),
        ({"cores_per_worker": 0}, "more than 0"),
        ({"cores_per_worker": "2"}, "more than 0"),
        ({"mem_per_worker": 0}, "mem_per_worker is 0; it must be more than 0"),
        ({"mem_per_worker": "much"}, "mem_per_worker is 'much'"),
        ({"cpu_affinity": "sideways"}, "'block', 'block-reverse'"),
        ({"available_accelerators": "01"}, "how many there are, or a list of their names"),
        ({"resource_binder": "node"}, r"such as NodeBinder\(\)"),
        ({"resource_binder": NodeBinder}, r"such as NodeBinder\(\)"),
        ({"resource_binder": MPIBinder(), "cores_per_worker": 2}, "give it there"),
        ({"resource_binder": MPIBinder(), "cpu_affinity": "block"}, "give it there"),
        ({"resource_binder": _Homeless()}, "no class of a module"),
        ({"heartbeat_period": 0}, "more than 0"),
        ({"heartbeat_period": -1}, "0 or more"),
        ({"heartbeat_period": "2 parsecs"}, 'such as "2 min"'),
        ({"heartbeat_threshold": float("inf")}, "must end"),
        ({"heartbeat_period": 30, "heartbeat_threshold": 50}, "make it 60 s or more"),
        ({"heartbeat_period": "2 min"}, "make it 240 s or more"),
        ({"max_idletime": -1}, "0 or more"),
        ({"max_idletime": None}, "0 or more"),
        ({"drain_period": 0}, "more than 0 s"),
        ({"drain_period": "soon"}, "None for never"),
        ({"codec": "json"}, "'cloudpickle' or 'pickle', or \"module:name\""),
        ({"codec": 3}, "'cloudpickle' or 'pickle'"),
        ({"provider": _FarProvider(), "encrypted": False}, "better leave encryption on"),
        ({"provider": _FarProvider(), "encrypted": False, "address": "node1"}, "IP address"),
        ({"address": "node1,node2"}, "one name or IP address"),
        ({"address": "0.0.0.0"}, "one name or IP address"),
        ({"address": "::"}, "one name or IP address"),
        ({"address_probe_timeout": 0}, "0.1 to 3600 s"),
        ({"address_probe_timeout": "2 hours"}, "0.1 to 3600 s"),
        ({"address": 3}, "one name or IP address"),
        ({"worker_port": "9000"}, "between 1 and 65535"),
        ({"worker_port_range": (9000,)}, "one after the last"),
        ({"worker_port_range": "9000"}, "one after the last"),
        ({"queue_order": 3}, r"such as ShortestFirst\(\)"),
        ({"manager_selector": "random"}, r"such as RandomManagerSelector\(\)"),
        ({"manager_selector": RandomManagerSelector}, r"such as RandomManagerSelector\(\)"),
        ({"manager_selector": _local_selector()}, "no class of a module"),
        ({"worker_port": 70000}, "between 1 and 65535"),
        ({"worker_port_range": (9000, 9000)}, "one after the last"),
        ({"worker_port_range": (9000, 9001), "worker_port": 9000}, "drop one"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_what_would(
    kwargs: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        HighThroughputExecutor(**kwargs)


def test_all_that_cannot_work_is_told_at_once() -> None:
    with pytest.raises(ConfigErrors) as caught:
        HighThroughputExecutor(
            label="", provider=3, max_workers_per_node=0, worker_port=0, max_idletime=-1, codec=""
        )  # type: ignore[arg-type]
    told = [mistake.says.split()[0] for mistake in caught.value.mistakes]
    assert told == [
        "label", "provider", "max_workers_per_node", "worker_port", "max_idletime", "codec",
    ]  # fmt: skip


def test_durations_may_have_a_unit() -> None:
    settings = _settings(
        heartbeat_period="500 ms",
        heartbeat_threshold="00:01:00",
        max_idletime="2 min",
        drain_period="1 min",
    )
    assert settings.heartbeat_period == 0.5
    assert settings.heartbeat_threshold == 60
    assert settings.max_idletime == 120
    assert settings.drain_period == 60


def test_the_order_that_the_queue_is_quickest_with_is_nobodys_own() -> None:
    assert _settings().own_order is None
    assert _settings(queue_order=PriorityFirst()).own_order is None
    order = ShortestFirst()
    assert _settings(queue_order=order).own_order is order


def test_a_codec_of_ones_own_is_named_by_its_place() -> None:
    assert _settings(codec="mine.codecs:Mine").codec_name == "mine.codecs:Mine"
    assert _settings(codec="pickle").codec_name.endswith(":PickleCodec")


def test_without_an_address_the_link_is_no_tcp_port() -> None:
    assert _settings().bind() is None


FAR = {"provider": _FarProvider()}


@pytest.mark.parametrize(
    "kwargs, name",
    [
        ({"address": "127.0.0.2"}, "tcp://127.0.0.2:*?probe=10"),
        ({"address": "::1"}, "tcp://[::1]:*?probe=10"),
        ({"address": "node1"}, "tcp://127.0.0.1:*?probe=10"),
        ({"address": "192.0.2.7"}, "tcp://192.0.2.7:*?probe=10"),
        (FAR, "tcp://*:*?probe=10"),
        ({**FAR, "address": "node1"}, "tcp://node1:*?probe=10"),
        ({**FAR, "address": "fd00::2"}, "tcp://[fd00::2]:*?probe=10"),
        ({**FAR, "address": "192.0.2.7", "encrypted": False}, "tcp://192.0.2.7:*?probe=10"),
        ({**FAR, "address_probe_timeout": 0.5}, "tcp://*:*?probe=0.5"),
        ({**FAR, "worker_port": 5000}, "tcp://*:5000?probe=10"),
        ({**FAR, "worker_port_range": (5000, 5100)}, "tcp://*:5000-5100?probe=10"),
    ],
)
def test_the_interchange_listens_no_wider_than_it_must(kwargs: dict[str, Any], name: str) -> None:
    assert _settings(**kwargs).bind() == name


def test_workers_are_as_many_as_the_cores_and_the_limit_allow() -> None:
    cores = len(os.sched_getaffinity(0))
    assert _settings().workers_guess == cores
    assert _settings(cores_per_worker=0.5).workers_guess == 2 * cores
    assert _settings(cores_per_worker=0.5, max_workers_per_node=1).workers_guess == 1
    assert _settings(cores_per_worker=1000).workers_guess == 1
    assert _settings(available_accelerators=1).workers_guess == 1
    assert _settings(mem_per_worker="1000 TiB").workers_guess == 1
    assert _settings(cpu_affinity="list:99999", max_workers_per_node=3).workers_guess == 3
    assert _settings(resource_binder=MPIBinder(mpiexec="nowhere")).workers_guess == 1


def test_a_binder_by_counting_is_made_of_what_is_said_of_workers() -> None:
    settings = _settings(cores_per_worker=2, mem_per_worker=3, available_accelerators=["a"])
    assert settings.binder() == NodeBinder(
        cores_per_worker=2, mem_per_worker=3 * 2**30, available_accelerators=["a"]
    )
    assert _settings(resource_binder=MPIBinder()).binder() == MPIBinder()


def test_a_provider_of_this_machine_is_the_default() -> None:
    assert isinstance(_settings().provider, LocalProvider)


def test_without_a_codec_it_is_the_first_that_is_installed() -> None:
    assert _settings().codec_name.endswith(":CloudpickleCodec")
    gone = {"one": "no_such_package.codecs:One", "two": f"{__name__}_gone:Two", "pickle": "x:Last"}
    assert first_installed(gone) == "x:Last"
    assert first_installed({"here": "json:Codec", "pickle": "x:Last"}) == "json:Codec"


def test_a_configuration_file_may_tune_the_quarantine_or_switch_it_off() -> None:
    for written, is_ in (({"least": 3}, Quarantine(least=3)), ({"limit": 0}, Quarantine(limit=0))):
        made = construct("executors", {"use": "htex", "quarantine": written})
        assert made.settings.quarantine == is_
    with pytest.raises(ConfigErrors, match="a whole number, 1 or more"):
        construct("executors", {"use": "htex", "quarantine": {"least": 0}})


def test_a_quarantine_is_one_or_none() -> None:
    assert _settings(quarantine=None).quarantine is None
    with pytest.raises(ConfigErrors, match=r"quarantine is 3; it must be Quarantine\(\), or None"):
        _settings(quarantine=3)
