"""``HighThroughputExecutor``: pilot jobs, and many small tasks through each."""

import copy
import threading
from collections.abc import Collection, Sequence
from importlib import import_module
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
from lamina.executors_htex.settings import Settings
from lamina.htex_core import PROTOCOL
from lamina.providers import LocalProvider, Provider
from lamina.scaling import ScalingStrategy, Simple
from lamina.vocabulary import AttemptId

__all__ = ["HighThroughputExecutor"]

ROOT = __package__.rpartition(".")[0]
CODECS = {
    "cloudpickle": f"{ROOT}.codec_cloudpickle:CloudpickleCodec",
    "pickle": f"{ROOT}.codec:PickleCodec",
}


class HighThroughputExecutor(PoolFace):
    """Runs tasks on worker processes of blocks that a provider brings.

    Args:
        label: Its name.
        provider: Where blocks come from; None for this machine, one block.
        max_workers_per_node: At most so many workers; None for one per core.
        cores_per_worker: Below 1 more workers than cores, above it fewer.
        address: This host's name or IP address as the nodes reach it. None, where the blocks
            are on this host, for a Unix socket that nobody else can open.
        worker_port: The tcp port for managers; None for a free one.
        encrypted: Whether tcp links are encrypted and authenticated (CURVE).
        heartbeat_period: Seconds between two heartbeats.
        heartbeat_threshold: Seconds of silence after which a node is given up.
        max_idletime: Seconds that a block may be idle before it is given back.
        strategy: How many blocks there should be; None for ``Simple()``.
        codec: ``"cloudpickle"``, ``"pickle"``, or ``"module:name"`` of your own.

    Raises:
        ConfigError: A setting cannot work; the text says what would.
    """

    def __init__(
        self,
        label: str = "HighThroughputExecutor",
        provider: Provider | None = None,
        *,
        max_workers_per_node: int | None = None,
        cores_per_worker: float = 1.0,
        address: str | None = None,
        worker_port: int | None = None,
        encrypted: bool = True,
        heartbeat_period: float = 30.0,
        heartbeat_threshold: float = 120.0,
        max_idletime: float = 120.0,
        strategy: ScalingStrategy | None = None,
        codec: str = "cloudpickle",
    ) -> None:
        self.settings = Settings(
            label=label,
            provider=LocalProvider() if provider is None else provider,
            max_workers_per_node=max_workers_per_node,
            cores_per_worker=cores_per_worker,
            address=address,
            worker_port=worker_port,
            encrypted=encrypted,
            heartbeat_period=heartbeat_period,
            heartbeat_threshold=heartbeat_threshold,
            max_idletime=max_idletime,
            strategy=Simple() if strategy is None else strategy,
            codec_name=CODECS.get(codec, codec),
        )
        self._engine: Engine | None = None
        self._changing = threading.Lock()

    def __copy__(self) -> "HighThroughputExecutor":
        twin = HighThroughputExecutor.__new__(HighThroughputExecutor)
        twin.settings = copy.copy(self.settings)
        twin._engine = None
        twin._changing = threading.Lock()
        return twin

    def __repr__(self) -> str:
        return f"HighThroughputExecutor({self.settings!r})"

    @property
    def label(self) -> str:
        """Its name, unique within a kernel."""
        return self.settings.label

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return Capabilities(stops_running_tasks=True, own_processes=True)

    def start(self, site: Site) -> None:
        """Start the interchange; blocks are asked for as soon as it listens."""
        with self._changing:
            if self._engine is not None:
                raise AlreadyStartedError(self.label)
            module, _, name = self.settings.codec_name.partition(":")
            codec: Codec = getattr(import_module(module), name)()
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
