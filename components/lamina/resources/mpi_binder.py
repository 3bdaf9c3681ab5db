"""``MPIBinder``: the nodes of a block, for tasks that start parallel programs."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import attrs

from lamina.resources.hosts import Host, expand, read_hostfile, read_tasks_per_node
from lamina.resources.partition import Part, Partition, wanted_of
from lamina.resources.prefixes import LAUNCHERS, Run, environment, family_of
from lamina.resources.protocol import Binding, NodeFacts, Offer
from lamina.vocabulary import ConfigError, Resources

__all__ = ["MPIBinder", "block_hosts"]

OPTIONS = "launcher_options"
VERSION_TIME = 30.0  # seconds that a launcher has for saying which one it is
MOST_WORKERS = 64  # where one node is shared by ranks, and nobody has said how many tasks at once


def _one_of(*known: str) -> Any:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if value not in known:
            there = ", ".join(map(repr, known))
            msg = f"{attribute.name} is {value!r}; it must be one of {there}"
            raise ConfigError(msg)

    return check


def _at_least_one(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        msg = f"{attribute.name} is {value!r}; it must be 1 or more, or None"
        raise ConfigError(msg)


def _program(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    try:
        words = shlex.split(value) if isinstance(value, str) else []
    except ValueError:  # an open quotation
        words = []
    if not words:
        msg = f"{attribute.name} is {value!r}; it must be a program, perhaps with options"
        raise ConfigError(msg)


def _file(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value):
        msg = f"{attribute.name} is {value!r}; it must be the path of a file, as text, or None"
        raise ConfigError(msg)


@attrs.define(kw_only=True)
class MPIBinder:
    """Finds the nodes of the block, and gives each task some of them and a launch prefix.

    Args:
        launcher: Whose prefix is the task's ``PARSL_MPI_PREFIX``: ``"mpiexec"``, ``"srun"`` or
            ``"aprun"``. The other two are there as well, under names of their own.
        mpiexec: The program, where it is not called ``mpiexec``.
        family: ``"openmpi"`` or ``"hydra"`` (MPICH, Intel MPI, Cray): whose options ``mpiexec``
            takes; None to ask it.
        hostfile: A file that names the nodes; None to ask the batch system, and without one for
            this host alone.
        slots_per_node: Ranks that a node takes where tasks share it; None for what the batch
            system or the hostfile says, or else one for each core.
    """

    launcher: str = attrs.field(default="mpiexec", validator=_one_of(*LAUNCHERS))
    mpiexec: str = attrs.field(default="mpiexec", validator=_program)
    family: str | None = attrs.field(default=None, validator=_one_of("openmpi", "hydra", None))  # type: ignore[arg-type]
    hostfile: str | None = attrs.field(default=None, validator=_file)
    slots_per_node: int | None = attrs.field(default=None, validator=_at_least_one)

    _family: str = attrs.field(default="hydra", init=False, eq=False, repr=False)
    _more: dict[str, str] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    """Environment variables of every task that has nodes."""
    _partition: Partition = attrs.field(
        factory=lambda: Partition(()), init=False, eq=False, repr=False
    )

    @property
    def honours(self) -> frozenset[str]:
        """Nodes, ranks, and ``extra`` with ``launcher_options``."""
        return frozenset({"nodes", "ranks", "extra"})

    def offer(self, node: NodeFacts) -> Offer:
        """Find the nodes; a worker for each, or for each rank of a single one.

        Raises:
            ConfigError: The list of nodes cannot be read, or the launcher cannot be run.
        """
        slots = self.slots_per_node or len(node.cores)
        hosts = block_hosts(node, self.hostfile, slots)
        if self.slots_per_node is not None:
            hosts = [Host(host.name, self.slots_per_node) for host in hosts]
        self._partition = Partition(hosts)
        if self.family is not None or self.launcher != "mpiexec":
            self._family = self.family or "hydra"
        else:
            self._family = family_of(_version(self.mpiexec))
        self._more = {}
        if self._family == "openmpi" and "SLURM_TASKS_PER_NODE" in node.env:
            # There it looks for slots, and would find one a node: our own manager's.
            self._more["SLURM_TASKS_PER_NODE"] = ",".join(str(host.slots) for host in hosts)
        workers = len(hosts) if len(hosts) > 1 else min(MOST_WORKERS, self._partition.slots)
        workers = node.most_workers or workers
        return Offer(workers=workers, nodes=len(hosts), ranks=self._partition.slots)

    def refusal(self, wanted: Resources) -> str:
        """More nodes or ranks than there are, or something else than nodes and ranks."""
        strange = [name for name in ("cores", "memory", "accelerators") if getattr(wanted, name)]
        strange += [key for key in wanted.extra if key != OPTIONS]
        if strange:
            return f"{', '.join(strange)}, where only nodes and ranks are handed out"
        return self._partition.refusal(wanted_of(wanted))

    def at_place(self, place: int) -> Binding:
        """Nothing: a task that asks for nothing runs where the manager is."""
        return Binding({})

    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        """Nodes or ranks, and the prefix that leads there."""
        if wanted is None:
            return Binding({})
        part = self._partition.take(wanted_of(wanted))
        if part is None:
            return None
        hosts = [(self._partition.hosts[n].name, ranks) for n, ranks in part.nodes]
        cores = 1
        if part.whole:
            each = [self._partition.hosts[n].slots // ranks for n, ranks in part.nodes]
            cores = max(1, min(each))
        run = Run(hosts, part.whole, str(wanted.extra.get(OPTIONS, "")), cores)
        env = environment(run, self.launcher, self.mpiexec, self._family) | self._more
        return Binding(env, None, part)

    def release(self, binding: Binding) -> None:
        """The nodes are free again."""
        part: Part | None = binding.taken
        if part is not None:
            self._partition.give_back(part)

    def leaves_room(self, wanted: Resources, place: int) -> bool:
        """Always: a task that asks for nothing takes none of it."""
        return True


def block_hosts(node: NodeFacts, hostfile: str | None, slots: int) -> list[Host]:
    """The nodes of the block: by a hostfile, Slurm, PBS, or this host alone.

    ``slots`` is for nodes of which nobody says how many ranks they take.

    Raises:
        ConfigError: What says which they are cannot be read.
    """
    path = hostfile or node.env.get("PBS_NODEFILE")
    slurm = node.env.get("SLURM_JOB_NODELIST") or node.env.get("SLURM_NODELIST")
    if hostfile is None and slurm:
        names = expand(slurm)
        counted = node.env.get("SLURM_JOB_CPUS_PER_NODE")
        counts = [slots] * len(names)
        if counted:
            counts = read_tasks_per_node(counted, len(names))
        return [Host(name, count) for name, count in zip(names, counts, strict=True)]
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            msg = f"the list of nodes {path} cannot be read on {node.host}: {error.strerror}"
            raise ConfigError(msg) from error
        return read_hostfile(text, slots)
    return [Host("localhost", slots)]


def _version(program: str) -> str:
    command = [*shlex.split(program), "--version"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=VERSION_TIME, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or str(error)
        msg = (
            f"{shlex.join(command)} does not run here: {why}. Load the MPI in the provider's "
            "worker_init, name its launcher in mpiexec=, or say whose it is in family="
        )
        raise ConfigError(msg) from error
    return done.stdout + done.stderr
