"""Launchers that start nothing on other nodes.

All text is read by bash. What a launcher returns ends with the command's exit status and does
not exit by itself, so that a provider may put lines of its own after it.
"""

import attrs

from lamina.launchers.shell import finished, one_command
from lamina.vocabulary import ConfigError

__all__ = ["SimpleLauncher", "SingleNodeLauncher", "WrappedLauncher", "stays_on_one_node"]


@attrs.frozen
class SimpleLauncher:
    """Runs the command as it is, once, whatever the number of nodes.

    ``debug`` makes the script say on stderr how a command that failed has ended.
    """

    debug: bool = True

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """The command itself, once."""
        return finished(self.debug, command)


@attrs.frozen
class SingleNodeLauncher:
    """Runs all copies of the command at once, on the one node of the script.

    There are ``tasks_per_node`` for each node, the others being played by this one. The exit
    status is 0 when every copy ended with 0 if ``fail_on_any``, otherwise when at least one did;
    if not, it is that of the last copy that failed. ``debug`` makes the script say on stderr how
    it ended, if it failed. Each copy finds its number, from 0, in ``LAMINA_RANK``.
    """

    debug: bool = True
    fail_on_any: bool = False

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """Copies of the command in the background, and the wait for all of them.

        Raises:
            ConfigError: No copy was asked for.
        """
        copies = tasks_per_node * nodes_per_block
        if copies < 1:
            msg = f"{tasks_per_node} copies on each of {nodes_per_block} nodes; make both 1 or more"
            raise ConfigError(msg)
        least = copies if self.fail_on_any else 1
        text = f"""\
lamina_copy() {{
{command}
}}
lamina_pids=()
for (( lamina_rank = 0; lamina_rank < {copies}; lamina_rank++ )); do
    LAMINA_RANK=$lamina_rank
    export LAMINA_RANK
    ( lamina_copy ) &
    lamina_pids+=($!)
done
lamina_good=0
lamina_bad=0
for lamina_pid in "${{lamina_pids[@]}}"; do
    if wait "$lamina_pid"; then
        (( lamina_good += 1 ))
    else
        lamina_bad=$?
    fi
done
if (( lamina_good >= {least} )); then
    exit 0
fi
exit $lamina_bad"""
        return finished(self.debug, text)


@attrs.frozen
class WrappedLauncher:
    """Puts a prefix before the command, such as ``singularity exec image.sif``, and runs it once.

    A command that is more than a program and its words is given to the prefix as one of
    ``/bin/bash``, which must be there where the prefix leads.
    """

    prepend: str = attrs.field()
    debug: bool = True

    @prepend.validator
    def _says_something(self, _: object, prepend: object) -> None:
        if not isinstance(prepend, str):
            msg = f"prepend is {prepend!r}; it must be text, as in 'singularity exec image.sif'"
            raise ConfigError(msg)
        if not prepend.strip():
            msg = "prepend is empty; write what goes before the command, or use SimpleLauncher"
            raise ConfigError(msg)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """The prefix, and the command as one program with its words."""
        return finished(self.debug, f"{self.prepend.strip()} {one_command(command)}")


def stays_on_one_node(launcher: object) -> bool:
    """Whether it is known to start everything on the node where the script runs."""
    return isinstance(launcher, SimpleLauncher | SingleNodeLauncher)
