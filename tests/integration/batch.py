"""Batch systems of development/testbed, as an operator handles them."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina.providers import BlockRequest, JobState, JobStatus, Provider
from lamina.vocabulary import BlockId, JobId

TESTBED = Path(__file__).parents[2] / "development" / "testbed"
PATIENCE = 30.0  # seconds


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}{done.stdout}"
    return done.stdout


def operate(script: str, *command: str) -> str:
    """Do something to a batch system."""
    return run(str(TESTBED / script), *command)


def environment(script: str) -> dict[str, str]:
    """The variables by which its commands are used; without it there is nothing to test."""
    lines = operate(script, "env").splitlines()
    pairs = [line.removeprefix("export ").partition("=") for line in lines]
    return {name: shlex.split(value)[0] for name, _, value in pairs}


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait for something, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(0.05)
    return found


def contents(path: Path) -> str:
    """What stands in a file; nothing while there is none."""
    return path.read_text() if path.exists() else ""


def request(place: Path, command: str, name: str = "block-0") -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name=f"lamina.test.{name}",
        command=command,
        script_dir=place,
        stdout=place / f"{name}.out",
        stderr=place / f"{name}.err",
    )


def reaches(
    provider: Provider, job: JobId, *states: JobState, seconds: float = PATIENCE
) -> JobStatus:
    """The job's status once it is in one of these states."""
    seen: list[JobStatus] = []

    def look() -> JobStatus | None:
        status = provider.poll([job])[job]
        if not seen or seen[-1] != status:
            seen.append(status)
        return status if status.state in states else None

    try:
        found: JobStatus = until(look, seconds)
    except AssertionError:
        raise AssertionError(f"{job} did not become {states}, but: {seen}") from None
    return found


def shim(folder: Path, name: str, text: str) -> None:
    """Put a program of this name before the real one on the path; bash reads the text."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    if not os.environ["PATH"].startswith(f"{folder}:"):
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
