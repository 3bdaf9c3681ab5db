"""Pieces of shell text that several launchers use."""

import base64
import shlex
from collections.abc import Sequence

__all__ = ["ALPS", "MPI", "NODES", "SLURM", "copy", "finished", "one_command", "without_braces"]

NODES = """\
lamina_nodes() {
    if [ -n "${SLURM_JOB_NODELIST:-}" ]; then
        scontrol show hostnames "$SLURM_JOB_NODELIST"
    elif [ -n "${PBS_NODEFILE:-}" ]; then
        cat "$PBS_NODEFILE"
    elif [ -n "${PE_HOSTFILE:-}" ]; then
        cut -d " " -f 1 "$PE_HOSTFILE"
    elif [ -n "${LSB_DJOB_HOSTFILE:-}" ]; then
        cat "$LSB_DJOB_HOSTFILE"
    else
        echo localhost
    fi | awk '!seen[$0]++'
}"""
"""Defines ``lamina_nodes``, which prints the names of the job's nodes, each once."""

# Whatever starts the copies numbers them, in a variable of its own. Its own comes first, for a
# batch job may have those of others: Slurm says in the script, too, that it is number 0.
SLURM = ("SLURM_PROCID",)
MPI = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")
ALPS = ("ALPS_APP_PE",)


def copy(command: str, own: Sequence[str], bash: str = "/bin/bash") -> str:
    """One word after another: a bash that runs the command and knows its number.

    ``own`` are the variables of what starts the copies.
    """
    names = dict.fromkeys((*own, *SLURM, *MPI, *ALPS))
    rank = "0"
    for name in reversed(names):
        rank = f"${{{name}:-{rank}}}"
    return f"{bash} -c {shlex.quote(_numbered(command, rank))}"


def one_command(command: str) -> str:
    """The command as one program with its words: itself where it is one, else a bash that runs it.

    A command that was put together word by word, each quoted where it must be, is one.
    """
    try:
        words = shlex.split(command)
    except ValueError:  # an open quotation, which bash may well understand
        words = []
    if words and shlex.join(words) == command.strip() and "=" not in words[0]:
        return command.strip()
    return f"/bin/bash -c {shlex.quote(command)}"


def without_braces(command: str) -> str:
    """The same for GNU parallel, which would replace braces, as one word."""
    numbered = _numbered(command, "$((${PARALLEL_SEQ:-1} - 1))")
    text = base64.b64encode(f"{numbered}\n".encode()).decode()
    return shlex.quote(f'/bin/bash -c "$(echo {text} | base64 --decode)"')


def _numbered(command: str, rank: str) -> str:
    return f'export LAMINA_RANK="{rank}"\n{command}'


def finished(debug: bool, text: str) -> str:
    """The text on its own: with its exit status, but with no effect on what stands after it.

    With ``debug`` it says on stderr how it ended, if it failed.
    """
    # In a subshell, so that an `exit` or `set` of the command does not reach what comes after.
    text = f"(\n{text}\n)"
    if not debug:
        return text
    return f"""{text}
( lamina_status=$?
(( lamina_status == 0 )) || echo "the command ended with exit status $lamina_status" >&2
exit "$lamina_status" )"""
