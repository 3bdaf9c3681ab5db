"""The kit of Provider: short blocks on whatever batch system it speaks to."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.conformance.clauses import Kit, clause, expect
from lamina.providers import BlockRequest, JobState, JobStatus, Provider
from lamina.vocabulary import BlockId, JobId

__all__ = ["PROVIDER"]

_PATIENCE = 30.0  # seconds
_SETTLING = 5.0  # seconds


@contextmanager
def _submitted(provider: Provider, *commands: str) -> Iterator[list[JobId]]:
    # A script that is being cancelled may still write beside itself while that is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        jobs = [
            provider.submit(
                BlockRequest(
                    block=BlockId(f"b{number}"),
                    name=f"lamina.kit.b{number}",
                    command=command,
                    script_dir=folder,
                    stdout=folder / f"b{number}.out",
                    stderr=folder / f"b{number}.err",
                )
            )
            for number, command in enumerate(commands)
        ]
        try:
            yield jobs
        finally:
            provider.cancel(jobs)
            _settle(provider, jobs)


def _settle(provider: Provider, jobs: list[JobId]) -> None:
    """Give cancelled jobs a moment to end, so that they leave nothing behind; no clause."""
    end, pause = time.monotonic() + _SETTLING, threading.Event()
    while time.monotonic() < end:
        if all(status.state.terminal for status in provider.poll(jobs).values()):
            return
        pause.wait(0.02)


def _ended(provider: Provider, job: JobId) -> JobStatus:
    """Where a job stands once it has ended."""
    end, pause = time.monotonic() + _PATIENCE, threading.Event()
    status = provider.poll([job])[job]
    while not status.state.terminal and time.monotonic() < end:
        pause.wait(0.02)
        status = provider.poll([job])[job]
    expect(status.state.terminal, else_say=f"{status} after {_PATIENCE:g} s")
    return status


@clause("provider.poll.stranger")
def _stranger(provider: Provider) -> None:
    """A job that the batch system has forgotten is GONE, never left out."""
    job = JobId("999999999")
    found = provider.poll([job])
    expect(job in found and found[job].state is JobState.GONE, else_say=repr(found))


@clause("provider.poll.nothing")
def _nothing(provider: Provider) -> None:
    """Asked about no job, it answers about none."""
    expect(not provider.poll([]), else_say="an answer")


@clause("provider.submit.well")
def _well(provider: Provider) -> None:
    """A block whose command ends with 0 is COMPLETED."""
    with _submitted(provider, "true") as [job]:
        status = _ended(provider, job)
        expect(status.state is JobState.COMPLETED, else_say=repr(status))


@clause("provider.submit.badly")
def _badly(provider: Provider) -> None:
    """A block whose command fails is FAILED, with the exit code where one is known."""
    with _submitted(provider, "exit 3") as [job]:
        status = _ended(provider, job)
        expect(status.state is JobState.FAILED, else_say=repr(status))
        expect(status.exit_code in (3, None), else_say=repr(status))


@clause("provider.submit.many")
def _many(provider: Provider) -> None:
    """Each block has a job of its own, and one poll tells of all."""
    with _submitted(provider, "sleep 20", "sleep 20") as jobs:
        expect(len(set(jobs)) == 2, else_say=repr(jobs))
        found = provider.poll(jobs)
        expect(found.keys() == set(jobs), else_say=repr(found))
        expect(not any(one.state.terminal for one in found.values()), else_say=repr(found))


@clause("provider.cancel")
def _cancel(provider: Provider) -> None:
    """A cancelled job ends, the others go on, and cancelling again does nothing."""
    with _submitted(provider, "sleep 20", "sleep 20") as [one, other]:
        provider.cancel([one])
        status = _ended(provider, one)
        expect(status.state is not JobState.COMPLETED, else_say=repr(status))
        provider.cancel([one])
        left = provider.poll([other])[other]
        expect(not left.state.terminal, else_say=repr(left))


@clause("provider.limits")
def _limits(provider: Provider) -> None:
    """What it says of blocks makes sense together."""
    expect(
        0 <= provider.min_blocks <= provider.max_blocks,
        else_say=f"min_blocks={provider.min_blocks}, max_blocks={provider.max_blocks}",
    )
    expect(0 <= provider.init_blocks <= provider.max_blocks, else_say=str(provider.init_blocks))
    expect(provider.nodes_per_block >= 1, else_say=str(provider.nodes_per_block))
    expect(provider.parallelism >= 0, else_say=str(provider.parallelism))
    expect(provider.status_polling_interval >= 0, else_say="a negative interval")
    expect(provider.label, else_say="an empty label")


PROVIDER = Kit(
    "provider",
    "Provider",
    1,
    (_stranger, _nothing, _well, _badly, _many, _cancel, _limits),
)
