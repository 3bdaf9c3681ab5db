"""Wheels built from this workspace, and environments that have nothing of it but those."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]


def run(
    command: Sequence[object],
    cwd: Path,
    *,
    status: int | None = 0,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program that finds nothing of this workspace, and return what it prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=outside(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert status in (None, done.returncode), f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout if done.returncode == 0 else done.stderr


def outside(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment variables of a program that finds nothing of this workspace."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLUMNS": "100"} | dict(more or {})


@attrs.frozen
class Workshop:
    """A folder that several processes share; what is made there is not to be changed."""

    place: Path

    def wheel(self, project: str) -> Path:
        """The wheel of a project of this workspace."""
        out = self.place / project.replace("/", "-")
        # A build puts files beside the project's own, which another build must not see.
        with _alone(ROOT / "pyproject.toml"):
            if not out.exists():
                options = ["--quiet", "--no-deps", "--no-build-isolation", "-w", out]
                run([sys.executable, "-m", "pip", "wheel", *options, ROOT / project], self.place)
        (built,) = out.glob("*.whl")
        return built

    def environment(self, *projects: str) -> Path:
        """The bin folder of an environment that has these projects and what they need."""
        wheels = [self.wheel(project) for project in projects]
        name = "+".join(wheel.parent.name for wheel in wheels)
        made, ready, lock = (self.place / f"{name}{end}" for end in ("", ".ready", ".lock"))
        python = made / "bin" / "python"
        lock.touch()
        with _alone(lock):
            if not ready.exists():
                run([sys.executable, "-m", "venv", "--without-pip", made], self.place)
                pip = [sys.executable, "-m", "pip", "--python", python, "install"]
                options = ["--quiet", "--no-compile", "-c", ROOT / "constraints.txt"]
                run([*pip, *options, *wheels], self.place)
                ready.touch()
        return python.parent


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """No other process that says so is here at the same time."""
    with open(place, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
