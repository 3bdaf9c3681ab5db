"""Launchers that start a copy of the command on each node of a block.

Each relies on a program of the site: srun, mpiexec, mpirun, aprun, jsrun or GNU parallel.
``overrides`` is text for that program's command line, put last so that it has the last word.
The exit status is 0 if all copies ended with 0, and otherwise what that program makes of it.
"""

from typing import Any

import attrs

from lamina.launchers.shell import ALPS, MPI, NODES, SLURM, copy, finished, without_braces
from lamina.vocabulary import ConfigError

__all__ = [
    "AprunLauncher",
    "GnuParallelLauncher",
    "JsrunLauncher",
    "MpiExecLauncher",
    "MpiRunLauncher",
    "SrunLauncher",
]


def _text(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or "\n" in value:
        msg = f"{attribute.name} is {value!r}; it must be one line of text"
        raise ConfigError(msg)


def _one_word(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or not value or value.split() != [value]:
        msg = f"{attribute.name} is {value!r}; it must be one word"
        raise ConfigError(msg)


@attrs.frozen
class SrunLauncher:
    """Starts the copies with Slurm's srun, as one step of the job.

    One copy may end before the others, well or badly, without harm to them.
    """

    debug: bool = True
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A call of srun.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        # Bound to a core, a manager would see only that one for its workers.
        text = (
            f"srun --ntasks={copies} --ntasks-per-node={tasks_per_node} --nodes={nodes_per_block} "
            f"--cpu-bind=none --kill-on-bad-exit=0 --wait=0 --label {_space(self.overrides)}"
            f"{copy(command, SLURM)}"
        )
        return finished(self.debug, text)


@attrs.frozen
class MpiExecLauncher:
    """Starts the copies with an MPI's mpiexec, on the nodes that the batch system names.

    ``bind_cmd`` is the option that binds copies to cores; it is given the value ``none``.
    """

    debug: bool = True
    bind_cmd: str = attrs.field(default="--bind-to", validator=_one_word)
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A file of hosts, and a call of mpiexec.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        # MPICH takes a host that stands there several times for as many copies.
        text = f"""\
{NODES}
lamina_hosts=$(mktemp) || exit
trap 'rm -f "$lamina_hosts"' EXIT
lamina_nodes | awk '{{ for (n = 0; n < {tasks_per_node}; n++) print }}' > "$lamina_hosts"
{_spread(tasks_per_node)}
mpiexec {self.bind_cmd} none -n {copies} --hostfile "$lamina_hosts" \
{_space(self.overrides)}{copy(command, MPI)}"""
        return finished(self.debug, text)


@attrs.frozen
class MpiRunLauncher:
    """Starts the copies with an MPI's mpirun, which must know the nodes by itself."""

    debug: bool = True
    bash_location: str = attrs.field(default="/bin/bash", validator=_one_word)
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A call of mpirun.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        # Open MPI binds to a core by default; other MPIs do not read this.
        text = f"""\
export OMPI_MCA_hwloc_base_binding_policy="${{OMPI_MCA_hwloc_base_binding_policy:-none}}"
{_spread(tasks_per_node)}
mpirun -np {copies} {_space(self.overrides)}{copy(command, MPI, self.bash_location)}"""
        return finished(self.debug, text)


@attrs.frozen
class AprunLauncher:
    """Starts the copies with Cray's aprun."""

    debug: bool = True
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A call of aprun.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        text = (
            f"aprun -n {copies} -N {tasks_per_node} {_space(self.overrides)}{copy(command, ALPS)}"
        )
        return finished(self.debug, text)


@attrs.frozen
class JsrunLauncher:
    """Starts the copies with IBM's jsrun, each in a resource set of its own."""

    debug: bool = True
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A call of jsrun.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        text = f"jsrun -n {copies} -r {tasks_per_node} {_space(self.overrides)}{copy(command, MPI)}"
        return finished(self.debug, text)


@attrs.frozen
class GnuParallelLauncher:
    """Starts the copies with GNU parallel, over SSH to the nodes that the batch system names.

    A node must let the user in without a password. The node of the script itself, where the
    batch system names no others, is not entered by SSH.
    """

    debug: bool = True
    overrides: str = attrs.field(default="", validator=_text)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """A file of hosts, and a call of parallel.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = _copies(tasks_per_node, nodes_per_block)
        # With `soon`, its status is that of the first copy to fail, and the others go on.
        text = f"""\
{NODES}
lamina_hosts=$(mktemp) || exit
trap 'rm -f "$lamina_hosts"' EXIT
lamina_nodes | sed 's/^localhost$/:/' > "$lamina_hosts"
parallel --will-cite --sshloginfile "$lamina_hosts" --jobs {tasks_per_node} --halt soon,fail=1 \
--max-replace-args 0 {_space(self.overrides)}{without_braces(command)} \
::: $(seq {copies})"""
        return finished(self.debug, text)


def _copies(tasks_per_node: int, nodes_per_block: int) -> int:
    if tasks_per_node < 1 or nodes_per_block < 1:
        msg = f"{tasks_per_node} copies on each of {nodes_per_block} nodes; make both 1 or more"
        raise ConfigError(msg)
    return tasks_per_node * nodes_per_block


def _spread(tasks_per_node: int) -> str:
    """Have Open MPI, up to 4 and since 5, start so many copies on each node.

    By itself it would fill the cores of the first node before it goes to the next.
    """
    names = ("OMPI_MCA_rmaps_base_mapping_policy", "PRTE_MCA_rmaps_default_mapping_policy")
    return "\n".join(f'export {one}="${{{one}:-ppr:{tasks_per_node}:node}}"' for one in names)


def _space(overrides: str) -> str:
    return f"{overrides.strip()} " if overrides.strip() else ""
