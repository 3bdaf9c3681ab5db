"""Launchers of other nodes, with programs on PATH that print how they were called, or play."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.launchers import (
    AprunLauncher,
    GnuParallelLauncher,
    JsrunLauncher,
    Launcher,
    MpiExecLauncher,
    MpiRunLauncher,
    SrunLauncher,
)
from lamina.vocabulary import ConfigError
from tests.fakes.launching import install

ALL: list[tuple[Callable[..., Launcher], str]] = [
    (AprunLauncher, "aprun"),
    (GnuParallelLauncher, "parallel"),
    (JsrunLauncher, "jsrun"),
    (MpiExecLauncher, "mpiexec"),
    (MpiRunLauncher, "mpirun"),
    (SrunLauncher, "srun"),
]
# Runs its last argument, which is what follows `bash -c`, and prints the others first.
PLAYS = 'printf "%s\\n" "${@:1:$#-1}" >&2; exec /bin/bash -c "${!#}"'
# GNU parallel's command stands before `:::`.
PLAYS_PARALLEL = """
args=()
for word in "$@"; do [ "$word" = ::: ] && break; args+=("$word"); done
printf "%s\\n" "${args[@]}" >&2; eval "${args[-1]}"
"""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, name in ALL:
        path = tmp_path / name
        play = PLAYS_PARALLEL if name == "parallel" else PLAYS
        path.write_text(f"#!/bin/bash\n{play}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("SLURM_JOB_NODELIST", "PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE"):
        monkeypatch.delenv(name, raising=False)


def bash(text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("before", ["", "set -e\n"])
@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("make, name", ALL, ids=[name for _, name in ALL])
def test_the_exit_status_is_kept(
    make: Callable[..., Launcher], name: str, status: int, before: str, debug: bool
) -> None:
    text = make(debug=debug)(f"exit {status}", 1, 2)
    done = bash(before + text)
    assert done.returncode == status
    if not before:
        assert (f"exit status {status}" in done.stderr) == (debug and status != 0)
        assert bash(f"{text}\necho after").stdout == "after\n"


@pytest.mark.parametrize("make, name", ALL, ids=[name for _, name in ALL])
def test_the_command_arrives_as_it_was(make: Callable[..., Launcher], name: str) -> None:
    command = "x='a  b'\necho \"it's $x {} {#} %\" | cat"
    assert bash(make()(command, 2, 2)).stdout == "it's a  b {} {#} %\n"


@pytest.mark.parametrize("make, name", ALL, ids=[name for _, name in ALL])
def test_copies_know_their_numbers_also_where_the_batch_script_has_one(
    make: Callable[..., Launcher], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slurm numbers the script itself, and copies that others start inherit that."""
    install(tmp_path)
    monkeypatch.setenv("SLURM_PROCID", "0")
    said = bash(make()("echo $LAMINA_RANK", 1, 3)).stdout
    assert sorted(said.split()) == ["0", "1", "2"]


@pytest.mark.parametrize(
    "launcher, words",
    [
        (SrunLauncher(), ["--ntasks=6", "--ntasks-per-node=2", "--nodes=3"]),
        (AprunLauncher(), ["-n", "6", "-N", "2"]),
        (JsrunLauncher(), ["-n", "6", "-r", "2"]),
        (MpiRunLauncher(bash_location="/usr/bin/bash"), ["-np", "6", "/usr/bin/bash"]),
        (MpiExecLauncher(bind_cmd="-bind"), ["-bind", "none", "-n", "6"]),
        (GnuParallelLauncher(), ["--jobs", "2"]),
    ],
)
def test_copies_are_counted(launcher: Launcher, words: list[str]) -> None:
    called = bash(launcher("true", 2, 3)).stderr.split()
    place = called.index(words[0])
    assert [word for word in called[place:] if word in words][: len(words)] == words


@pytest.mark.parametrize("make, name", ALL, ids=[name for _, name in ALL])
def test_overrides_have_the_last_word(make: Callable[..., Launcher], name: str) -> None:
    called = bash(make(overrides=" --theirs='a b' ")("true", 1, 1)).stderr.splitlines()
    place = called.index("--theirs=a b")
    assert all("-" not in word[:1] or word == "-c" for word in called[place + 1 :])


@pytest.mark.parametrize("make", [MpiExecLauncher, GnuParallelLauncher])
def test_the_nodes_of_the_batch_system_are_used(
    make: Callable[..., Launcher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("n1\nn1\nn2\n")
    monkeypatch.setenv("PBS_NODEFILE", str(hosts))
    for name in ("mpiexec", "parallel"):
        (tmp_path / name).write_text(
            "#!/bin/bash\nwhile [[ $1 != --hostfile && $1 != --sshloginfile ]]; do shift; done\n"
            'cat "$2"\n'
        )
    expected = "n1\nn1\nn2\nn2\n" if make is MpiExecLauncher else "n1\nn2\n"
    assert bash(make()("true", 2, 2)).stdout == expected


def test_no_file_of_hosts_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    assert bash(MpiExecLauncher()("exit 2", 1, 1)).returncode == 2
    assert bash(GnuParallelLauncher()("true", 1, 1)).returncode == 0
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("make, name", ALL, ids=[name for _, name in ALL])
@pytest.mark.parametrize("copies", [(0, 1), (1, 0)])
def test_no_copies_are_refused(
    make: Callable[..., Launcher], name: str, copies: tuple[int, int]
) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        make()("true", *copies)


@pytest.mark.parametrize(
    "make, given",
    [
        (SrunLauncher, {"overrides": 3}),
        (SrunLauncher, {"overrides": "a\nb"}),
        (MpiExecLauncher, {"bind_cmd": "a b"}),
        (MpiRunLauncher, {"bash_location": ""}),
    ],
)
def test_options_that_cannot_work_are_refused(
    make: Callable[..., Launcher], given: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=next(iter(given))):
        make(**given)
