"""The main job: from options to an exit code, with a progress bar between.

What only the program needs is imported late: a worker imports this brick for its tasks alone.
"""

import os
import signal
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lamina.demo.graph import ImportGraph
from lamina.demo.outcome import Ledger, Retried, RunFacts
from lamina.demo.source import Source, default_roots, find_sources, in_words
from lamina.retry_policy import Again, Decision, GiveUp, Trouble
from lamina.vocabulary import TaskState

if TYPE_CHECKING:
    from rich.console import Console

    from lamina.demo.engine import Engine
    from lamina.demo.survey import Survey

__all__ = ["Options", "RunsAgain", "run_demo"]

_TRIES = 3


class Options(NamedTuple):
    """What the user may choose."""

    files: Path | None = None
    """A directory to look at; None for the standard library and the installed packages."""
    out: Path = Path("lamina-demo")
    workers: int | None = None
    """None for one per core."""
    executor: str | None = None
    """``htex`` or ``threads``; None for htex where it is installed."""
    chaos: bool = False


class RunsAgain:
    """Retry what the machinery failed to run, and tell the ledger; never what the task raised."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def decide(self, trouble: Trouble) -> Decision:
        """Try again, up to three attempts in all."""
        attempt = len(trouble.history)
        if not trouble.failure.cause.is_infrastructure or attempt >= _TRIES:
            return GiveUp()
        self._ledger.again(Retried(trouble.task, attempt, str(trouble.failure.error)))
        return Again()


def run_demo(options: Options, console: "Console | None" = None) -> int:
    """Do the main job, and return the exit code: 0 when the report was written."""
    from rich.console import Console

    from lamina.demo.engine import engine_named
    from lamina.demo.page import page
    from lamina.demo.table import show

    console = console or Console()
    roots = [options.files.resolve()] if options.files else default_roots()
    if options.files is not None and not options.files.is_dir():
        console.print(f"{options.files} is no directory.", markup=False)
        return 2
    library = options.files is None
    sources = find_sources(roots, leave_out_tests=library)
    if not sources:
        console.print(f"There is no Python file below {options.files}.", markup=False)
        return 2
    engine = engine_named(options.executor, options.workers)
    if options.chaos and not engine.has_processes:
        console.print(
            "--chaos needs worker processes to kill, and the executor here is threads; "
            "going on without it."
        )
    looked_at = in_words(roots, leave_out_tests=library)
    graph, run = _run(options, engine, looked_at, sources, console)
    report = options.out.resolve() / "report.html"
    report.write_text(page(graph, run), encoding="utf-8", errors="backslashreplace")
    show(console, graph, run, str(report))
    return 0


def _run(
    options: Options,
    engine: "Engine",
    looked_at: str,
    sources: list[Source],
    console: "Console",
) -> tuple[ImportGraph, RunFacts]:
    from lamina.apps import load
    from lamina.demo.survey import start_survey
    from lamina.kernel import Config

    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    ledger = Ledger()
    marker = out / f"chaos-{os.getpid()}" if options.chaos and engine.has_processes else None
    config = Config(
        executors=[engine.executor],
        checkpoint_mode="task_exit",
        retry_policy=RunsAgain(ledger),
        run_dir=str(out / "runs"),
    )
    if marker is not None:
        marker.unlink(missing_ok=True)
    began = time.monotonic()
    kernel = load(config)
    try:
        survey = start_survey(sources, out, ledger, marker)
        _follow(survey, ledger, marker, console)
        graph, identical = survey.graph.result(), survey.identical.result()
        disagreements = survey.disagreements.result()
        seconds = time.monotonic() - began
    finally:
        kernel.close()
        if marker is not None:
            marker.unlink(missing_ok=True)
    return graph, RunFacts(
        looked_at=looked_at,
        tasks=ledger.submitted,
        failed=ledger.failed,
        reused=kernel.task_counts()[TaskState.MEMO_DONE],
        seconds=seconds,
        workers=engine.workers,
        executor=engine.name,
        retried=ledger.retried,
        identical=identical,
        disagreements=disagreements,
    )


def _follow(survey: "Survey", ledger: Ledger, marker: Path | None, console: "Console") -> None:
    """Show how it goes until it has gone; where there is no terminal, say nothing."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    ends: list[Future[object]] = [survey.graph, survey.identical, survey.disagreements]  # type: ignore[list-item]
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("tasks", total=survey.total, failed=0)
        for end in ends:
            while not end.done():
                with suppress(TimeoutError):
                    end.exception(timeout=0.1)
                progress.update(bar, completed=ledger.done, failed=ledger.failed)
                if marker is not None and _kill_who_waits(marker):
                    progress.console.print("killed a worker with SIGKILL", style="bold red")
                    marker = None
        progress.update(bar, completed=ledger.done, failed=ledger.failed)


def _kill_who_waits(marker: Path) -> bool:
    """Kill the worker that left its id there, unless that is this very process."""
    try:
        pid = int(marker.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    if pid == os.getpid():
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True
