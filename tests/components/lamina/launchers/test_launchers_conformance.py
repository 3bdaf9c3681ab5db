"""The kit of Launcher on all of ours; those of other nodes call programs that are played."""

import os
import random
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.conformance import LAUNCHER
from lamina.launchers import (
    AprunLauncher,
    GnuParallelLauncher,
    JsrunLauncher,
    Launcher,
    MpiExecLauncher,
    MpiRunLauncher,
    SimpleLauncher,
    SingleNodeLauncher,
    SrunLauncher,
    WrappedLauncher,
)
from tests.fakes.launching import install
from tests.kits import as_tests

ALL: dict[str, Callable[[], Launcher]] = {
    "aprun": AprunLauncher,
    "gnu_parallel": GnuParallelLauncher,
    "jsrun": JsrunLauncher,
    "mpiexec": MpiExecLauncher,
    "mpirun": MpiRunLauncher,
    "simple": SimpleLauncher,
    "single_node": SingleNodeLauncher,
    "srun": SrunLauncher,
    "wrapped": lambda: WrappedLauncher("env BOX=1"),
}
ODD = "ab '\"\\$`{}#%*?!&|;<>()~=\t\n"


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("SLURM_JOB_NODELIST", "PBS_NODEFILE", "PE_HOSTFILE", "LSB_DJOB_HOSTFILE"):
        monkeypatch.delenv(name, raising=False)


TestSimple = as_tests(LAUNCHER, SimpleLauncher)
TestSingleNode = as_tests(LAUNCHER, SingleNodeLauncher)
TestSingleNodeAll = as_tests(LAUNCHER, lambda: SingleNodeLauncher(fail_on_any=True))
TestWrapped = as_tests(LAUNCHER, ALL["wrapped"])
TestSrun = as_tests(LAUNCHER, SrunLauncher)
TestMpiExec = as_tests(LAUNCHER, MpiExecLauncher)
TestMpiRun = as_tests(LAUNCHER, MpiRunLauncher)
TestAprun = as_tests(LAUNCHER, AprunLauncher)
TestJsrun = as_tests(LAUNCHER, JsrunLauncher)
TestGnuParallel = as_tests(LAUNCHER, GnuParallelLauncher)


def printed(text: str, shell: str = "bash") -> str:
    done = subprocess.run([shell, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ALL)
def test_whatever_the_words_are_they_arrive_as_they_were(name: str, seed: int) -> None:
    chance = random.Random(f"{name}{seed}")
    words = ["".join(chance.choices(ODD, k=chance.randrange(12))) for _ in range(6)]
    # The first three are a program and its words, as an executor asks for; then come several
    # commands in one, with a here-document.
    command = shlex.join(["printf", "<%s>", *words[:3]])
    expected = "".join(f"<{word}>" for word in words[:3])
    assert printed(ALL[name]()(command, 1, 1)) == expected
    body = "\n".join(words[3:])
    several = f"{command}; cat <<'THE END' | cat\n{body}\nTHE END\n"
    assert printed(ALL[name]()(several, 1, 1)) == f"{expected}{body}\n"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ALL)
def test_a_script_around_it_is_left_as_it_is(name: str, seed: int) -> None:
    chance = random.Random(f"{name}{seed}")
    word = "".join(chance.choices(ODD, k=9))
    status = chance.choice([0, 1, 7, 100])
    text = ALL[name]()(f"word=inside; cd /; exit {status}", 1, 1)
    around = f'word={shlex.quote(word)}\n{text}\nprintf \'%s %s\' "$?" "$word"'
    assert printed(around) == f"{status} {word}"
