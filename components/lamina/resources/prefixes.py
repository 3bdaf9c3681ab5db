"""The beginning of a command line that starts a parallel program on certain nodes."""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["LAUNCHERS", "Run", "aprun", "environment", "family_of", "mpiexec", "srun"]

LAUNCHERS = ("aprun", "mpiexec", "srun")


class Run(NamedTuple):
    """One parallel program: on each host so many ranks."""

    hosts: Sequence[tuple[str, int]]
    whole: bool
    """Whether it has the hosts for itself."""
    options: str = ""
    """Text for the launcher's command line, put last."""
    cores: int = 1
    """What each rank has of its host."""

    @property
    def ranks(self) -> int:
        """All together."""
        return sum(ranks for _, ranks in self.hosts)

    @property
    def ranks_per_node(self) -> int:
        """The most on one host."""
        return max(ranks for _, ranks in self.hosts)


def family_of(version: str) -> str:
    """Whose mpiexec it is, by what it says of its version: ``openmpi``, or ``hydra`` and others."""
    return "openmpi" if "Open MPI" in version or "OpenRTE" in version else "hydra"


def mpiexec(run: Run, program: str, family: str) -> str:
    """With Open MPI's options, or with those of MPICH, Intel MPI and Cray."""
    if family == "openmpi":
        hosts = ",".join(f"{name}:{ranks}" for name, ranks in run.hosts)
        # Two programs on one host would both be bound to its first cores.
        alone = "" if run.whole else "--bind-to none"
        return _words(program, f"-n {run.ranks} --host {hosts}", alone, run.options)
    hosts = ",".join(name for name, ranks in run.hosts)
    even = len({ranks for _, ranks in run.hosts}) == 1
    if even:
        return _words(
            program, f"-n {run.ranks} -ppn {run.ranks_per_node} -hosts {hosts}", run.options
        )
    hosts = ",".join(f"{name}:{ranks}" for name, ranks in run.hosts)
    return _words(program, f"-n {run.ranks} -hosts {hosts}", run.options)


def srun(run: Run) -> str:
    """With Slurm's options; steps that share a node must say that they do.

    The cores of a rank are said too, for otherwise they are those of the manager.
    """
    hosts = ",".join(name for name, _ in run.hosts)
    count = len(run.hosts)
    each = f"--ntasks-per-node {run.ranks_per_node}" if run.ranks % count == 0 else ""
    overlap = "" if run.whole else "--overlap"
    text = f"--ntasks {run.ranks} --nodes {count} --nodelist {hosts} --cpus-per-task {run.cores}"
    return _words("srun", text, each, overlap, run.options)


def aprun(run: Run) -> str:
    """With the options of Cray's ALPS."""
    hosts = ",".join(name for name, _ in run.hosts)
    return _words("aprun", f"-n {run.ranks} -N {run.ranks_per_node} -L {hosts}", run.options)


def environment(run: Run, launcher: str, program: str, family: str) -> dict[str, str]:
    """What the task finds in its environment."""
    prefixes = {
        "MPIEXEC": mpiexec(run, program, family),
        "SRUN": srun(run),
        "APRUN": aprun(run),
    }
    env = {f"PARSL_{name}_PREFIX": text for name, text in prefixes.items()}
    chosen = prefixes[launcher.upper()]
    hosts = ",".join(name for name, _ in run.hosts)
    return {
        **env,
        "PARSL_MPI_PREFIX": chosen,
        "PARSL_MPI_NODELIST": hosts,
        "PARSL_NUM_NODES": str(len(run.hosts)),
        "PARSL_NUM_RANKS": str(run.ranks),
        "PARSL_RANKS_PER_NODE": str(run.ranks_per_node),
        "LAMINA_MPI_PREFIX": chosen,
        "LAMINA_MPI_NODES": hosts,
        "LAMINA_MPI_RANKS": str(run.ranks),
    }


def _words(program: str, *parts: str) -> str:
    # The program may be text with options of its own, the rest is text for a shell already.
    first = program if " " in program else shlex.quote(program)
    return " ".join([first, *(part for part in parts if part)])
