"""Wheels built from this workspace, and environments that have nothing of it but those."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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


def build(project: str, out: Path) -> Path:
    """Build the wheel of a project of this workspace."""
    out.mkdir(parents=True, exist_ok=True)
    before = set(out.glob("*.whl"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "-w", out]
    with _one_at_a_time():
        run([sys.executable, "-m", "pip", "wheel", *options, ROOT / project], cwd=out)
    (built,) = set(out.glob("*.whl")) - before
    return built


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """A build puts files beside the project's own, which another build must not see."""
    with open(ROOT / "pyproject.toml", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment(place: Path, *wheels: Path) -> Path:
    """The bin folder of a fresh environment with these wheels and what they need."""
    run([sys.executable, "-m", "venv", "--without-pip", place], cwd=place.parent)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet"]
    run([*pip, "-c", ROOT / "constraints.txt", *wheels], cwd=place.parent)
    return place / "bin"
