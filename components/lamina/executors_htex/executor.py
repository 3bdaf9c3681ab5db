"""``HighThroughputExecutor``: pilot jobs, and many small tasks through each."""

import copy
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
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
    data_access,
)
from lamina.executors_htex.engine import Engine
from lamina.executors_htex.guard import QuarantinedNode
from lamina.executors_htex.plan import ExecutorPlan, plan_of
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding
from lamina.htex_core import PROTOCOL, ManagerSelector, QueueOrder
from lamina.plugins import construct, resolve
from lamina.providers import LocalProvider, Provider
from lamina.resources import ResourceBinder
from lamina.scaling import (
    BlockErrorPolicy,
    FailingBlocks,
    Guards,
    HtexAutoScale,
    Off,
    Quarantine,
    ScalingStrategy,
)
from lamina.vocabulary import AttemptId, BlockId, UsageError, explains

__all__ = ["HighThroughputExecutor"]

_QUARANTINE = Quarantine()


@explains(
    max_workers="write max_workers_per_node",
    worker_ports="managers connect to one port; write worker_port_range to say among which",
    interchange_port_range="the interchange is reached through a socket pair; leave it out",
    loopback_address="the interchange is reached through a socket pair; leave it out",
    interchange_launch_cmd="the interchange is a child of this program; leave it out",
    launch_cmd="worker_init of the provider runs before the manager; write it there",
    poll_period="nobody polls; leave it out",
    start_method="workers are forked from a process with one thread; leave it out",
    worker_debug="messages go to loggers below 'lamina'; leave it out",
    worker_logdir_root="logs are in the run directory; leave it out",
    remote_monitoring_radio="events come with the results; leave it out",
    enable_mpi_mode="write MPIExecutor",
    mpi_launcher="write MPIExecutor(mpi_launcher=...)",
)
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
        drain_period: Seconds after its start when a manager drains and leaves; None for never.
        strategy: How many blocks there should be: ``"none"``, ``"simple"``,
            ``"htex_auto_scale"``, ``"steady"``, or an object; None for ``HtexAutoScale()``.
        strategy_period: Seconds between two looks at how much work there is, at the most.
        block_error_handler: When blocks that end badly end the executor: True for
            ``FailingBlocks()``, False for never, a name such as ``"all_failed"``, or an object.
        guards: What is never asked of a batch system; None for ``Guards()``.
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
        storage_access: Staging plug-ins for its tasks' files; None for those of the kernel.
        working_dir: A directory, seen by the nodes, for copies of files. None for one beside the
            run directory where the file system is shared, else for one on each node.
        shared_file_system: Whether the nodes see the program's files at the same paths.
        quarantine: When a node is set aside because tasks fail there that succeed elsewhere;
            None for never.

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
        drain_period: float | str | None = None,
        strategy: ScalingStrategy | str | Mapping[str, Any] | None = None,
        strategy_period: float | str = 5.0,
        block_error_handler: BlockErrorPolicy | str | Mapping[str, Any] | bool = True,
        guards: Guards | None = None,
        queue_order: QueueOrder | None = None,
        manager_selector: ManagerSelector | None = None,
        worker_memory_limit: float | str | None = None,
        prefetch_capacity: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        codec: str | None = None,
        storage_access: Sequence[object] | None = None,
        working_dir: str | os.PathLike[str] | None = None,
        shared_file_system: bool = True,
        quarantine: Quarantine | None = _QUARANTINE,
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
            drain_period=drain_period,
            strategy=HtexAutoScale() if strategy is None else _strategy(strategy),
            strategy_period=strategy_period,
            block_error_policy=_policy(block_error_handler),
            guards=Guards() if guards is None else guards,
            queue_order=queue_order,
            manager_selector=manager_selector,
            worker_memory_limit=worker_memory_limit,
            prefetch_capacity=prefetch_capacity,
            initializer=initializer,
            initargs=initargs,
            codec_name=codec,
            data=data_access(storage_access, working_dir),
            shared_file_system=shared_file_system,
            quarantine=quarantine,
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
            shared_file_system=self.settings.shared_file_system,
            **self.settings.data,
        )

    def start(self, site: Site) -> None:
        """Start the interchange; blocks elsewhere are asked for as soon as it listens."""
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
        return Load(engine.outstanding(), engine.slots())

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

    def last_words(self, block: str) -> str:
        """The last lines of a block's stderr and stdout; empty where there are none to be had.

        Where the block's files are on another host it is asked for them, which takes its time.
        """
        engine = self._engine
        return "" if engine is None else engine.last_words(BlockId(block))

    def addresses(self) -> Sequence[str]:
        """Each way by which nodes may reach the interchange, as ``tcp://host:port``.

        It is empty before the interchange listens, and, over SSH, before there is a block.
        """
        engine = self._engine
        return () if engine is None else engine.addresses()

    def scale(self, blocks: int | None) -> None:
        """Have so many blocks from now on, whatever the strategy says; None: as it says.

        The provider's ``min_blocks`` and ``max_blocks`` hold all the same, and a block with tasks
        gets no more of them and goes when it has none left.

        Raises:
            NotStartedError: It was not started, or has been closed.
        """
        self._running().scale(blocks)

    def drain(self, block_id: str | None = None) -> None:
        """Let the managers of a block leave in good order; None for those of all blocks there are.

        They are given no more tasks, give back what they have not begun, and leave when what they
        run has ended. No task fails of it. This does not wait; where there is work for it, the
        strategy asks for new blocks.

        Raises:
            NotStartedError: It was not started, or has been closed.
            UsageError: There is no such block.
        """
        engine = self._running()
        blocks = self._blocks_there(engine)
        if block_id is None:
            engine.drain((), blocks)
        else:
            engine.drain((), (self._known(block_id, blocks),))

    def hold_block(self, block_id: str) -> None:
        """Give the managers of a block no more tasks; what they run goes on.

        What they have not begun is given back as far as it can be.

        Raises:
            NotStartedError: It was not started, or has been closed.
            UsageError: There is no such block.
        """
        engine = self._running()
        engine.hold(self._known(block_id, self._blocks_there(engine)))

    def unhold_block(self, block_id: str) -> None:
        """Give them tasks again.

        Raises:
            NotStartedError: It was not started, or has been closed.
            UsageError: There is no such block.
        """
        engine = self._running()
        engine.unhold(self._known(block_id, self._blocks_there(engine)))

    def quarantined(self) -> list[QuarantinedNode]:
        """The nodes that were set aside, and why, but for those that were lifted."""
        engine = self._engine
        return [] if engine is None or engine.guard is None else list(engine.guard.quarantined())

    def lift_quarantine(self, node: str) -> None:
        """Let a node have tasks again that was set aside, and do not set it aside any more.

        A block of it that is on hold gets tasks at once; a manager that leaves is not kept.

        Raises:
            NotStartedError: It was not started, or has been closed.
            UsageError: The node is not set aside.
        """
        guard = self._running().guard
        if guard is None:
            msg = f"executor {self.label!r} sets no node aside, since its quarantine is off"
            raise UsageError(msg)
        guard.lift(node)

    def _running(self) -> Engine:
        engine = self._engine
        if engine is None:
            raise NotStartedError(self.label)
        return engine

    def _blocks_there(self, engine: Engine) -> set[str]:
        there = {standing.block for standing in engine.blocks() if not standing.over}
        return there | {load.block for load in engine.loads().values()}

    def _known(self, block_id: str, blocks: Collection[str]) -> str:
        if block_id not in blocks:
            there = ", ".join(sorted(blocks)) or "none"
            msg = (
                f"executor {self.label!r} has no block {block_id!r:.100} that waits or runs; there "
                f"are: {there}. blocks() says what became of the others"
            )
            raise UsageError(msg)
        return block_id

    def plan(self) -> ExecutorPlan:
        """What it would do if it were started; nothing is started, asked or contacted.

        Raises:
            ConfigErrors: Options contradict each other; the text names each, and what would work.
        """
        return plan_of(self.settings)


def _policy(handler: Any) -> Any:
    """What users may write, as a policy; what is none is complained of with everything else."""
    if handler is True or handler is None:
        return FailingBlocks()
    return (
        Off()
        if handler is False
        else construct("block_error_policies", handler, path="block_error_handler")
    )


def _strategy(strategy: Any) -> Any:
    return construct("scaling", strategy, path="strategy")
