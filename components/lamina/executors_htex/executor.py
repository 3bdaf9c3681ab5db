"""``HighThroughputExecutor``: pilot jobs, and many small tasks through each."""

import copy
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from lamina.codec import Codec
from lamina.executors import (
    AlreadyStartedError,
    Capabilities,
    Load,
    NotStartedError,
    PoolFace,
    Report,
    Site,
    TaskRequest,
)
from lamina.executors_htex.engine import Engine
from lamina.executors_htex.plan import ExecutorPlan, plan_of
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding
from lamina.htex_core import PROTOCOL, ManagerSelector, QueueOrder
from lamina.plugins import resolve
from lamina.providers import LocalProvider, Provider
from lamina.resources import ResourceBinder
from lamina.scaling import ScalingStrategy, Simple
from lamina.vocabulary import AttemptId

__all__ = ["HighThroughputExecutor"]


class HighThroughputExecutor(PoolFace):
    """Runs tasks on worker processes of blocks that a provider brings.

    Args:
        label: Its name.
        provider: Where blocks come from; None for this machine, one block.
        max_workers_per_node: At most so many workers; None for one per core.
        cores_per_worker: Below 1 more workers than cores, above it fewer.
        mem_per_worker: Memory that a worker is due, in GiB or as text with a unit; it limits how
            many there are.
        cpu_affinity: How workers are bound to cores: ``"none"``, ``"block"``,
            ``"block-reverse"``, ``"alternating"``, or ``"list:0,1:2,3"`` with a group for each.
        available_accelerators: How many a node has, or their names; a worker is due one each.
        resource_binder: What shares out a node instead of the four before.
        address: This host's name or IP address as the nodes reach it. None for a Unix socket
            that nobody else can open, where the blocks are on this host, and otherwise for every
            address that its interfaces have, and its name: managers take the one that works.
        address_probe_timeout: Seconds for which a manager tries those before it gives up.
        worker_port: The tcp port for managers; None for a free one.
        worker_port_range: The first port that may be taken for managers, and the one after the
            last; None for any.
        encrypted: Whether tcp links are encrypted and authenticated (CURVE).
        heartbeat_period: Seconds between two heartbeats.
        heartbeat_threshold: Seconds of silence after which a node is given up.
        max_idletime: Seconds that a block may be idle before it is given back.
        strategy: How many blocks there should be; None for ``Simple()``.
        queue_order: Which task is next; None for ``PriorityFirst()``.
        manager_selector: Which node gets it; None for ``TurnManagerSelector()``.
        worker_memory_limit: What a worker and all that its tasks start may use together, beyond
            what it used when it was ready for its first task, in bytes or as text with a unit;
            a task that runs when it is more ends with ``TaskOutOfMemory``.
        prefetch_capacity: How many tasks a manager holds beyond those that its workers can run;
            None for as many as last some milliseconds, so that short tasks do not wait for the
            network and long ones do not wait behind each other.
        initializer: Called once in each worker process before its first task. If it raises, the
            block ends and so does the executor, with an error that quotes it.
        initargs: The arguments of ``initializer``.
        codec: ``"cloudpickle"``, ``"pickle"``, or ``"module:name"`` of your own; None for the
            first of these that this distribution has.

    Durations may be text with a unit, as ``"2 min"``.

    Raises:
        ConfigErrors: Settings cannot work; the text names each, and what would.
    """

    def __init__(
        self,
        label: str = "HighThroughputExecutor",
        provider: Provider | None = None,
        *,
        max_workers_per_node: int | None = None,
        cores_per_worker: float = 1.0,
        mem_per_worker: float | str | None = None,
        cpu_affinity: str = "none",
        available_accelerators: int | Sequence[str] = (),
        resource_binder: ResourceBinder | None = None,
        address: str | None = None,
        address_probe_timeout: float | str = 10.0,
        worker_port: int | None = None,
        worker_port_range: tuple[int, int] | None = None,
        encrypted: bool = True,
        heartbeat_period: float | str = 30.0,
        heartbeat_threshold: float | str = 120.0,
        max_idletime: float | str = 120.0,
        strategy: ScalingStrategy | None = None,
        queue_order: QueueOrder | None = None,
        manager_selector: ManagerSelector | None = None,
        worker_memory_limit: float | str | None = None,
        prefetch_capacity: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        codec: str | None = None,
    ) -> None:
        self.settings = Settings(
            label=label,
            provider=LocalProvider() if provider is None else provider,
            max_workers_per_node=max_workers_per_node,
            cores_per_worker=cores_per_worker,
            mem_per_worker=mem_per_worker,
            cpu_affinity=cpu_affinity,
            available_accelerators=available_accelerators,
            resource_binder=resource_binder,
            address=address,
            address_probe_timeout=address_probe_timeout,
            worker_port=worker_port,
            worker_port_range=worker_port_range,
            encrypted=encrypted,
            heartbeat_period=heartbeat_period,
            heartbeat_threshold=heartbeat_threshold,
            max_idletime=max_idletime,
            strategy=Simple() if strategy is None else strategy,
            queue_order=queue_order,
            manager_selector=manager_selector,
            worker_memory_limit=worker_memory_limit,
            prefetch_capacity=prefetch_capacity,
            initializer=initializer,
            initargs=initargs,
            codec_name=codec,
        )
        self._engine: Engine | None = None
        self._changing = threading.Lock()

    def __copy__(self) -> "HighThroughputExecutor":
        twin = type(self).__new__(type(self))
        twin.settings = copy.copy(self.settings)
        twin._engine = None
        twin._changing = threading.Lock()
        return twin

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings!r})"

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        return self.settings.label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(
            stops_running_tasks=True,
            own_processes=True,
            resources=self.settings.binder().honours,
        )

    def start(self, site: Site) -> None:
        """Start the interchange; blocks are asked for as soon as it listens."""
        with self._changing:
            if self._engine is not None:
                raise AlreadyStartedError(self.label)
            codec: Codec = resolve("codecs", self.settings.codec_name)()
            engine = Engine(self.settings, site, codec, package=f"htex-{PROTOCOL}")
            engine.start()
            self._engine = engine

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> None:
        """Take attempts."""
        engine = self._engine
        if engine is None or not engine.launch(tasks, report):
            raise NotStartedError(self.label)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Stop these attempts, with every process below their workers."""
        engine = self._engine
        if engine is not None:
            engine.cancel(attempts)

    def load(self) -> Load:
        """How busy it is."""
        engine = self._engine
        if engine is None:
            return Load(0, 0)
        return Load(engine.outstanding(), sum(info.slots for info in engine.managers()))

    def close(self, timeout: float | None = None) -> None:
        """Stop everything; an outcome is reported for every attempt left."""
        with self._changing:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close(timeout)

    def outstanding(self) -> int:
        """Unresolved attempts."""
        return self.load().outstanding

    def connected_managers(self) -> list[dict[str, Any]]:
        """The managers that are connected, each as a mapping of what it said of itself."""
        engine = self._engine
        return [] if engine is None else [info._asdict() for info in engine.managers()]

    def connected_blocks(self) -> list[str]:
        """The blocks that have a connected manager."""
        return sorted({info["block"] for info in self.connected_managers()})

    def blocks(self) -> list[BlockStanding]:
        """What is known of each block that waits or runs, and of the last that have ended."""
        engine = self._engine
        return [] if engine is None else list(engine.blocks())

    def scale(self, blocks: int | None) -> None:
        """Have so many blocks from now on, whatever the strategy says; None: as it says.

        The provider's ``min_blocks`` and ``max_blocks`` hold all the same, and a block is given
        back only while no task is unresolved.

        Raises:
            NotStartedError: It was not started, or has been closed.
        """
        engine = self._engine
        if engine is None:
            raise NotStartedError(self.label)
        engine.scale(blocks)

    def plan(self) -> ExecutorPlan:
        """What it would do if it were started; nothing is started, asked or contacted.

        Raises:
            ConfigErrors: Options contradict each other; the text names each, and what would work.
        """
        return plan_of(self.settings)
