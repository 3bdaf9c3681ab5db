"""The settings of a HighThroughputExecutor, checked where they are written."""

import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import attrs

from lamina.executors import DataAccess, data_access
from lamina.executors_htex.outpost import way_back_of
from lamina.htex_core import ManagerSelector, PriorityFirst, QueueOrder, write_plugin
from lamina.plugins import ConfigErrors, Mistake
from lamina.providers import Provider
from lamina.resources import NodeBinder, ResourceBinder, read_node
from lamina.scaling import BlockErrorPolicy, Guards, Quarantine, ScalingStrategy
from lamina.vocabulary import ConfigError, read_bytes, read_gibibytes, read_seconds

__all__ = ["Settings"]

PORTS = 2**16
LEAST_MEMORY = 2**20  # bytes for a worker
MOST_AHEAD = 10**6  # tasks that a manager may hold beyond its workers
SHORTEST_PROBE, LONGEST_PROBE = 0.1, 3600  # seconds
ROOT = __package__.rpartition(".")[0]
CODECS = {
    "cloudpickle": f"{ROOT}.codec_cloudpickle:CloudpickleCodec",
    "pickle": f"{ROOT}.codec:PickleCodec",
}
_LABEL = re.compile(r"[^/\0]{1,100}")
_PLACE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")
_HOST = re.compile(r"[0-9A-Za-z._:-]+")


# What an object of each kind can do at the least.
_PROVIDER = ("blocks_are_local", "cancel", "init_blocks", "max_blocks", "poll", "submit")
_STRATEGY = ("target",)
_POLICY = ("verdict",)
_ORDER = ("key",)
_SELECTOR = ("came", "changed", "choose", "gone")
_LIKE = "RandomManagerSelector()"
_BINDER = ("bind", "honours", "offer", "refusal", "release")


def _seconds(value: float | str) -> float:
    """A duration, or what it is: that is complained of together with everything else."""
    try:
        return read_seconds(value)
    except (ConfigError, TypeError):
        return value  # type: ignore[return-value]


def _perhaps_seconds(value: float | str | None) -> float | None:
    return None if value is None else _seconds(value)


def _memory(value: float | str | None) -> int | None:
    """Bytes, from what is GiB unless it says otherwise; or what it is, likewise."""
    try:
        return None if value is None else read_gibibytes(value)
    except (ConfigError, TypeError):
        return value  # type: ignore[return-value]


def _bytes(value: float | str | None) -> int | None:
    """Bytes, or what it is, likewise."""
    try:
        return None if value is None else read_bytes(value, unit=1)
    except (ConfigError, TypeError):
        return value  # type: ignore[return-value]


def first_installed(codecs: Mapping[str, str]) -> str:
    """The first of these places whose module is there; the last one always is."""
    *others, last = codecs.values()
    return next((place for place in others if _is_there(place)), last)


def _is_there(place: str) -> bool:
    try:
        return find_spec(place.partition(":")[0]) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _place_of_codec(codec: Any) -> str:
    if codec is None:
        return first_installed(CODECS)
    place: str = CODECS.get(codec, codec) if isinstance(codec, str) else codec
    return place


@attrs.frozen(kw_only=True)
class Settings:
    """How one htex is run. Durations are in seconds, or text with a unit.

    Raises:
        ConfigErrors: Settings cannot work; the text names each, and what would.
    """

    label: str
    provider: Provider
    max_workers_per_node: int | None = None
    cores_per_worker: float = 1.0
    mem_per_worker: int | None = attrs.field(default=None, converter=_memory)
    cpu_affinity: str = "none"
    available_accelerators: int | Sequence[str] = ()
    resource_binder: ResourceBinder | None = None
    encrypted: bool = True
    address: str | None = None
    address_probe_timeout: float = attrs.field(default=10.0, converter=_seconds)
    worker_port: int | None = None
    worker_port_range: tuple[int, int] | None = None
    heartbeat_period: float = attrs.field(default=30.0, converter=_seconds)
    heartbeat_threshold: float = attrs.field(default=120.0, converter=_seconds)
    max_idletime: float = attrs.field(default=120.0, converter=_seconds)
    drain_period: float | None = attrs.field(default=None, converter=_perhaps_seconds)
    strategy: ScalingStrategy
    strategy_period: float = attrs.field(default=5.0, converter=_seconds)
    block_error_policy: BlockErrorPolicy
    guards: Guards = attrs.field(factory=Guards)
    queue_order: QueueOrder | None = None
    manager_selector: ManagerSelector | None = None
    worker_memory_limit: int | None = attrs.field(default=None, converter=_bytes)
    prefetch_capacity: int | None = None
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    codec_name: str = attrs.field(converter=_place_of_codec)
    data: DataAccess = attrs.field(factory=lambda: data_access(None, None))
    shared_file_system: bool = True
    quarantine: Quarantine | None = attrs.field(factory=Quarantine)

    def __attrs_post_init__(self) -> None:
        if mistakes := [Mistake("", says) for says in _complaints(self)]:
            raise ConfigErrors(mistakes)

    def binder(self) -> ResourceBinder:
        """What shares out the nodes: the one that was given, or one by counting."""
        if self.resource_binder is not None:
            return self.resource_binder
        return NodeBinder(
            cores_per_worker=self.cores_per_worker,
            mem_per_worker=self.mem_per_worker,
            cpu_affinity=self.cpu_affinity,
            available_accelerators=self.available_accelerators,
        )

    @property
    def workers_guess(self) -> int:
        """Workers on each node, as far as this host can tell; the manager's word replaces it."""
        most = self.max_workers_per_node
        if self.resource_binder is None:
            try:
                return self.binder().offer(read_node(most)).workers
            except ConfigError:
                pass  # it may suit the nodes, and not this host
        return most or 1

    @property
    def own_order(self) -> QueueOrder | None:
        """The order, where it is not the one that the queue is quickest with."""
        return None if isinstance(self.queue_order, PriorityFirst) else self.queue_order

    def bind(self) -> str | None:
        """Where the interchange is to listen for managers; None for a Unix socket of its own.

        What the parts mean is said in ``docs/wire-format.md``. Where the blocks are on this host,
        a name only asks for tcp, and nothing but the loopback interface is opened; an IP address
        is taken at its word.
        """
        address = self.address
        if address is None and way_back_of(self.provider) is not None:
            address = "127.0.0.1"  # only the channel leads there
        if self.provider.blocks_are_local:
            if address is None:
                return None
            if not _is_ip(address):
                address = "127.0.0.1"
        host = "*" if address is None else f"[{address}]" if ":" in address else address
        port = "*" if self.worker_port is None else str(self.worker_port)
        if self.worker_port_range is not None:
            port = "{}-{}".format(*self.worker_port_range)
        return f"tcp://{host}:{port}?probe={self.address_probe_timeout:g}"


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _is_any(address: str) -> bool:
    return _is_ip(address) and ipaddress.ip_address(address).is_unspecified


def _complaints(settings: Any) -> Iterator[str]:
    """What cannot work, each with what would."""
    yield from _of_label(settings.label)
    yield from _of_parts(settings)
    yield from _of_workers(settings)
    yield from _of_binder(settings)
    yield from _of_address(settings)
    yield from _of_ports(settings.worker_port, settings.worker_port_range)
    yield from _of_durations(settings)
    yield from _of_codec(settings.codec_name)
    yield from _of_initializer(settings.initializer, settings.initargs)


def _of_label(label: Any) -> Iterator[str]:
    # It names a directory of the run.
    if not isinstance(label, str) or label in ("", ".", "..") or not _LABEL.fullmatch(label):
        yield f"label is {label!r:.100}; it must be a name that a directory can have"


def _of_parts(settings: Any) -> Iterator[str]:
    if not _is_such(settings.provider, _PROVIDER):
        yield f"provider is {settings.provider!r:.100}; it must be one, such as LocalProvider()"
    if not _is_such(settings.strategy, _STRATEGY):
        yield f"strategy is {settings.strategy!r:.100}; it must be one, such as Simple()"
    if not _is_such(settings.block_error_policy, _POLICY):
        yield (
            f"block_error_handler is {settings.block_error_policy!r:.100}; it must be True, False, "
            "the name of a policy, or one, such as FailingBlocks(); a function of Parsl is none"
        )
    if not isinstance(settings.guards, Guards):
        yield f"guards is {settings.guards!r:.100}; it must be such as Guards(max_young=5)"
    order, selector = settings.queue_order, settings.manager_selector
    if order is not None and not _is_such(order, _ORDER):
        yield f"queue_order is {order!r:.100}; it must be one, such as ShortestFirst()"
    if selector is not None and not _is_such(selector, _SELECTOR):
        yield f"manager_selector is {selector!r:.100}; it must be one, such as {_LIKE}"
    elif selector is not None:
        try:
            write_plugin(selector, "manager_selector")
        except ConfigError as error:
            yield str(error)
    if not isinstance(settings.quarantine, Quarantine | None):
        yield f"quarantine is {settings.quarantine!r:.100}; it must be Quarantine(), or None"
    if not isinstance(settings.encrypted, bool):
        yield f"encrypted is {settings.encrypted!r:.100}; it must be True or False"
    if not isinstance(settings.shared_file_system, bool):
        found = settings.shared_file_system
        yield f"shared_file_system is {found!r:.100}; it must be True or False"


def _of_workers(settings: Any) -> Iterator[str]:
    most, cores = settings.max_workers_per_node, settings.cores_per_worker
    if most is not None and (type(most) is not int or most < 1):
        yield (
            f"max_workers_per_node is {most!r:.100}; it must be a whole number, 1 or more, or "
            "None for one per core"
        )
    limit = settings.worker_memory_limit
    if limit is not None and (type(limit) is not int or not LEAST_MEMORY <= limit < 2**63):
        yield (
            f"worker_memory_limit is {limit!r:.100}; write bytes, {LEAST_MEMORY} or more, or such "
            'as "4 GiB"'
        )
    ahead = settings.prefetch_capacity
    if ahead is not None and (type(ahead) is not int or not 0 <= ahead <= MOST_AHEAD):
        yield (
            f"prefetch_capacity is {ahead!r:.100}; it must be a whole number, 0 to {MOST_AHEAD}, "
            "or None for as many as are short"
        )
    if type(cores) not in (int, float) or not 0 < cores < math.inf:
        yield f"cores_per_worker is {cores!r:.100}; it must be a number, more than 0"


def _of_binder(settings: Any) -> Iterator[str]:
    binder = settings.resource_binder
    ours: dict[str, Any] = {
        "mem_per_worker": settings.mem_per_worker,
        "cpu_affinity": settings.cpu_affinity,
        "available_accelerators": settings.available_accelerators,
    }
    if binder is not None:
        if not _is_such(binder, _BINDER):
            yield f"resource_binder is {binder!r:.100}; it must be one, such as NodeBinder()"
        else:
            try:
                write_plugin(binder, "resource_binder")
            except ConfigError as error:
                yield str(error)
        usual = NodeBinder()
        for name, value in {**ours, "cores_per_worker": settings.cores_per_worker}.items():
            if value != getattr(usual, name):
                yield f"{name} is {value!r:.100}, which resource_binder has to know; give it there"
        return
    for name, value in ours.items():
        try:
            NodeBinder(**{name: value})
        except ConfigError as error:
            yield str(error)


def _of_address(settings: Any) -> Iterator[str]:
    address, provider = settings.address, settings.provider
    one = address is None or (isinstance(address, str) and _HOST.fullmatch(address))
    if not one or (address is not None and _is_any(address)):
        yield f"address is {address!r:.100}; it must be one name or IP address of this host"
    elif settings.encrypted is False and not getattr(provider, "blocks_are_local", True):
        if way_back_of(settings.provider) is not None:
            yield (
                f"executor {settings.label!r} has encrypted=False, and its channel opens a port to "
                "it on another host, where nobody would be asked for a key; leave encryption on"
            )
        elif address is None or not _is_ip(address):
            yield (
                f"executor {settings.label!r} has encrypted=False, and nobody is asked for a key: "
                "it listens at one interface only, so its address= must be the IP address of "
                "that; better leave encryption on"
            )


def _of_ports(port: Any, ports: Any) -> Iterator[str]:
    if port is not None and (type(port) is not int or not 0 < port < PORTS):
        yield f"worker_port is {port!r:.100}; a port is a number between 1 and {PORTS - 1}"
    if ports is None:
        return
    if port is not None:
        yield "worker_port says which port it is, so worker_port_range has no use; drop one"
    two = isinstance(ports, tuple | list) and [type(one) for one in ports] == [int, int]
    if not two or not 0 < ports[0] < ports[1] <= PORTS:
        yield (
            f"worker_port_range is {ports!r:.100}; give the first port, and the one after the "
            f"last, which is at most {PORTS}"
        )


def _of_durations(settings: Any) -> Iterator[str]:
    right = []
    for name in ("heartbeat_period", "heartbeat_threshold", "max_idletime", "strategy_period"):
        value = getattr(settings, name)
        if not isinstance(value, float):
            yield f'{name} is {value!r:.100}; write seconds, 0 or more, or such as "2 min"'
        elif name != "max_idletime" and not 0 < value < math.inf:
            yield f"{name} is {value:g} s; it must be more than 0, and must end"
        else:
            right.append(name)
    drain = settings.drain_period
    if drain is not None and not (isinstance(drain, float) and 0 < drain < math.inf):
        yield f"drain_period is {drain!r:.100}; it must be more than 0 s and end, or None for never"
    probe = settings.address_probe_timeout
    if not isinstance(probe, float) or not SHORTEST_PROBE <= probe <= LONGEST_PROBE:
        least, most = SHORTEST_PROBE, LONGEST_PROBE
        yield f"address_probe_timeout is {probe!r:.100}; it must be {least} to {most} s"
    period, threshold = settings.heartbeat_period, settings.heartbeat_threshold
    if {"heartbeat_period", "heartbeat_threshold"} <= set(right) and threshold < 2 * period:
        yield (
            f"heartbeat_threshold is {threshold:g} s; make it {2 * period:g} s or more, "
            "twice heartbeat_period"
        )


def _of_codec(name: Any) -> Iterator[str]:
    if not isinstance(name, str) or not _PLACE.fullmatch(name):
        there = " or ".join(repr(one) for one in CODECS)
        yield f'codec is {name!r:.100}; write {there}, or "module:name" of your own'
    elif name == CODECS["cloudpickle"] and not _is_there(name):
        yield (
            'codec is "cloudpickle", which only the full distribution has; leave codec out, and '
            "submit functions of modules that workers can import"
        )


def _of_initializer(initializer: Any, arguments: Any) -> Iterator[str]:
    if initializer is not None and not callable(initializer):
        yield f"initializer is {initializer!r:.100}; it must be a function, or None"
    if not isinstance(arguments, tuple | list):
        yield f"initargs is {arguments!r:.100}; write a tuple, such as (1, 2)"


def _is_such(value: object, can: tuple[str, ...]) -> bool:
    """Whether it is an object that can do this; a class has yet to be called."""
    return not isinstance(value, type) and all(hasattr(value, name) for name in can)
