import os
import random
import subprocess
from pathlib import Path

import pytest

from lamina.launchers.shell import (
    ALPS,
    MPI,
    NODES,
    SLURM,
    copy,
    finished,
    one_command,
    without_braces,
)


def run(text: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", text],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **env},
    )


@pytest.mark.parametrize("seed", range(30))
def test_any_text_reaches_the_copy_as_it_is(seed: int) -> None:
    chance = random.Random(seed)
    odd = "".join(chance.choices("ab '\"\\$`{}#%*?!&|;<>()~\t\n", k=40))
    command = f"printf %s {subprocess.list2cmdline(['x'])}; cat <<'END'\n{odd}\nEND"
    expected = run(command).stdout
    assert run(copy(command, SLURM)).stdout == expected
    # What GNU parallel is given goes through one more shell.
    assert run(f"bash -c {without_braces(command)}").stdout == expected
    assert not set("{}") & set(without_braces(command))


@pytest.mark.parametrize(
    "own, env, rank",
    [
        (SLURM, {"SLURM_PROCID": "3", "PMI_RANK": "1"}, "3"),
        (MPI, {"SLURM_PROCID": "3", "PMI_RANK": "1"}, "1"),
        (MPI, {"OMPI_COMM_WORLD_RANK": "2"}, "2"),
        (MPI, {"SLURM_PROCID": "3"}, "3"),
        (ALPS, {"ALPS_APP_PE": "5", "SLURM_PROCID": "3"}, "5"),
        (SLURM, {}, "0"),
    ],
)
def test_a_copy_knows_its_number(own: tuple[str, ...], env: dict[str, str], rank: str) -> None:
    assert run(copy("echo $LAMINA_RANK", own), **env).stdout == f"{rank}\n"


@pytest.mark.parametrize(
    "env, rank", [({"PARALLEL_SEQ": "2", "SLURM_PROCID": "0"}, "1"), ({}, "0")]
)
def test_a_copy_of_gnu_parallel_knows_its_number(env: dict[str, str], rank: str) -> None:
    text = without_braces("echo $LAMINA_RANK")
    assert run(f"bash -c {text}", **env).stdout == f"{rank}\n"


@pytest.mark.parametrize(
    "name, content",
    [("PBS_NODEFILE", "a\na\nb\n"), ("PE_HOSTFILE", "a 2 q@a x\nb 1 q@b x\n")],
)
def test_nodes_are_named_once_each(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / "hosts of it"
    file.write_text(content)
    assert run(f"{NODES}\nlamina_nodes", **{name: str(file)}).stdout == "a\nb\n"


@pytest.mark.parametrize(
    "command, one",
    [
        (" run 'this and that' /a/b ", True),
        ("run this; run that", False),
        ("A=1 run", False),
        ("run it's", False),
        ("run | cat", False),
        ("", False),
    ],
)
def test_a_program_with_its_words_needs_no_shell(command: str, one: bool) -> None:
    assert one_command(command).startswith("/bin/bash -c ") is not one


def test_without_a_batch_system_there_is_this_host() -> None:
    assert run(f"{NODES}\nlamina_nodes").stdout == "localhost\n"


def test_a_launchers_text_does_not_reach_what_follows() -> None:
    done = run(f"{finished(True, 'set -e; exit 3')}\necho $?")
    assert done.stdout == "3\n"
    assert "exit status 3" in done.stderr
    assert run(finished(False, "exit 3")).stderr == ""
