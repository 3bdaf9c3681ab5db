"""Each implementation is one for the type checker, which reads this; nobody runs it.

A class that narrows a parameter, or lacks a method, of its Protocol is an error here.
"""

from collections.abc import Callable
from concurrent.futures import Executor as Pool
from concurrent.futures import ThreadPoolExecutor as StandardPool
from pathlib import Path

from lamina.channels import Channel, LocalChannel, RemoteChannel
from lamina.channels_ssh import SSHChannel
from lamina.codec import Codec, PickleCodec
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.dependencies import DeepResolver, DependencyResolver, ShallowResolver
from lamina.events import EventSink, JsonLinesSink, MemorySink
from lamina.executors import Executor, ForeignExecutor
from lamina.flow import (
    AprunLauncher,
    CondorProvider,
    DataFlowKernel,
    GnuParallelLauncher,
    GridEngineProvider,
    HighThroughputExecutor,
    JsrunLauncher,
    LocalProvider,
    LSFProvider,
    MpiExecLauncher,
    MPIExecutor,
    MpiRunLauncher,
    PBSProProvider,
    SimpleLauncher,
    SingleNodeLauncher,
    SlurmProvider,
    SrunLauncher,
    ThreadPoolExecutor,
    TorqueProvider,
    WrappedLauncher,
    clear,
    id_for_memo,
)
from lamina.htex_core import (
    BlockIdManagerSelector,
    FewestFreeManagerSelector,
    FirstInFirstOut,
    ManagerSelector,
    MostFreeManagerSelector,
    PriorityFirst,
    QueueOrder,
    RandomManagerSelector,
    ShortestFirst,
    TurnManagerSelector,
)
from lamina.kernel import Kernel
from lamina.launchers import Launcher
from lamina.memo import InMemoryMemo, Memo, NoMemo
from lamina.providers import Provider
from lamina.resources import MPIBinder, NodeBinder, ResourceBinder
from lamina.retry_policy import CrashLimit, Default, Never, Retries, RetryPolicy
from lamina.routing import LeastLoaded, RoundRobin, Router
from lamina.scaling import (
    BlockErrorPolicy,
    FailingBlocks,
    NoScaling,
    Off,
    ScalingStrategy,
    Simple,
)
from lamina.vocabulary import Clock, SystemClock

kernel: Kernel = DataFlowKernel()
executors: list[Executor] = [
    ForeignExecutor(StandardPool),
    HighThroughputExecutor(),
    MPIExecutor(mpi_launcher="srun", heartbeat_period="10 s"),
    ThreadPoolExecutor(),
]
pools: list[Pool] = [HighThroughputExecutor(), ThreadPoolExecutor()]
providers: list[Provider] = [
    CondorProvider(),
    GridEngineProvider(),
    LSFProvider(),
    LocalProvider(),
    PBSProProvider(),
    SlurmProvider(),
    TorqueProvider(),
]
launchers: list[Launcher] = [
    AprunLauncher(),
    GnuParallelLauncher(),
    JsrunLauncher(),
    MpiExecLauncher(),
    MpiRunLauncher(),
    SimpleLauncher(),
    SingleNodeLauncher(),
    SrunLauncher(),
    WrappedLauncher("nice"),
]
channels: list[Channel] = [LocalChannel(), SSHChannel("host")]
remote: RemoteChannel = SSHChannel("host")
codecs: list[Codec] = [CloudpickleCodec(), PickleCodec()]
resolvers: list[DependencyResolver] = [DeepResolver(), ShallowResolver()]
sinks: list[EventSink] = [JsonLinesSink(Path("events.jsonl")), MemorySink()]
selectors: list[ManagerSelector] = [
    BlockIdManagerSelector(),
    FewestFreeManagerSelector(),
    MostFreeManagerSelector(),
    RandomManagerSelector(),
    TurnManagerSelector(),
]
orders: list[QueueOrder] = [FirstInFirstOut(), PriorityFirst(), ShortestFirst()]
memos: list[Memo] = [InMemoryMemo(), NoMemo()]
binders: list[ResourceBinder] = [MPIBinder(), NodeBinder()]
policies: list[RetryPolicy] = [CrashLimit(Never()), Default(), Never(), Retries(2)]
routers: list[Router] = [LeastLoaded(), RoundRobin()]
strategies: list[ScalingStrategy] = [NoScaling(), Simple()]
error_policies: list[BlockErrorPolicy] = [FailingBlocks(), Off()]
clock: Clock = SystemClock()
forget: Callable[[], None] = clear
rule: bytes = id_for_memo(1)
