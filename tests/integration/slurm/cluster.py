"""The real Slurm of development/testbed, as an operator handles it."""

from tests.integration.batch import operate, run


def slurm(*command: str) -> str:
    """Do something to the cluster."""
    return operate("slurm.sh", *command)


def queue() -> list[str]:
    """The ids of all jobs that have not ended."""
    return run("squeue", "--noheader", "--format=%i").split()
