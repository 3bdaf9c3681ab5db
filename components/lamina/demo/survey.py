"""The dataflow of the demo: which apps there are, and which of them waits for which.

For each package a join app starts one task per module and one that adds them up. Beside them
run ``sha256sum`` and ``wc`` over the same files, in batches. At the end the sums become the
import graph, the checksums are sorted, and what ``wc`` counted is held against what was parsed.
"""

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lamina.apps import bash_app, join_app, python_app
from lamina.demo import tasks
from lamina.demo.graph import ImportGraph, Summary, Unreadable, summarise
from lamina.demo.modules import ModuleFacts, UnreadableModule, read_module
from lamina.demo.outcome import Ledger
from lamina.demo.source import Source
from lamina.vocabulary import File

__all__ = ["Survey", "settled", "start_survey"]

_F = TypeVar("_F", bound="Future[Any]")
_BATCH = 200  # files per sha256sum or wc: a process for each file would cost more than its work


class Survey(NamedTuple):
    """The futures of a running survey that somebody will ask for."""

    total: int
    """Tasks in all."""
    graph: "Future[ImportGraph]"
    identical: "Future[int]"
    disagreements: "Future[tuple[str, ...]]"


def start_survey(
    sources: Sequence[Source], out: Path, ledger: Ledger, marker: Path | None = None
) -> Survey:
    """Submit everything to the kernel that is loaded.

    With a ``marker``, the module in the middle is read by a task that waits to be killed.
    """
    hunted = sources[len(sources) // 2].path if marker is not None and sources else None
    parse = python_app(read_module, cache=True)
    linger = python_app(tasks.read_and_wait_for_the_end)
    add_up = python_app(summarise)

    def read(source: Source) -> "Future[ModuleFacts]":
        stamp = (source.size, source.modified)
        what = (File(source.path), source.module, source.package, stamp)
        name = f"parse {source.module}"
        if source.path == hunted:
            future = linger.options(name=name)(*what, str(marker))
        else:
            future = parse.options(name=name)(*what)
        return _watch(future, ledger)

    def survey_package(package: str, its_own: Sequence[Source]) -> "Future[Summary]":
        read_ones = settled([read(source) for source in its_own], its_own)
        return _watch(add_up.options(name=f"add up {package}")(package, read_ones), ledger)

    survey = join_app(survey_package)
    counts, sums = _start_commands(sources, out, ledger)
    packages = _by_package(sources)
    summaries = [
        _watch(survey.options(name=f"survey {package}")(package, its_own), ledger)
        for package, its_own in packages
    ]
    graph = _watch(python_app(tasks.reduce_summaries)(inputs=summaries), ledger)
    sort = bash_app(tasks.sort_checksums)
    manifest = _watch(sort(inputs=sums, outputs=[File(out / "sha256sums")], stamp=""), ledger)
    identical = _watch(python_app(tasks.count_identical)(manifest.outputs[0]), ledger)
    compare = _watch(python_app(tasks.compare_counts)(graph, inputs=counts), ledger)
    total = len(sources) + 2 * len(packages) + len(counts) + len(sums) + 4
    return Survey(total, graph, identical, compare)


def _by_package(sources: Sequence[Source]) -> list[tuple[str, list[Source]]]:
    ordered = sorted(sources, key=lambda source: (source.package, source.path))
    groups = groupby(ordered, key=lambda source: source.package)
    return [(package, list(its_own)) for package, its_own in groups]


def _start_commands(
    sources: Sequence[Source], out: Path, ledger: Ledger
) -> tuple[list["Future[File]"], list["Future[File]"]]:
    """``wc`` and ``sha256sum`` over all files that may be read; the files that they write."""
    count = bash_app(tasks.count_files, cache=True)
    checksum = bash_app(tasks.checksum_files, cache=True)
    readable = [source for source in sources if os.access(source.path, os.R_OK)]
    folder = out / "batches"
    folder.mkdir(parents=True, exist_ok=True)
    counts: list[Future[File]] = []
    sums: list[Future[File]] = []
    for number, at in enumerate(range(0, len(readable), _BATCH)):
        batch = readable[at : at + _BATCH]
        files = [File(source.path) for source in batch]
        stamp = hashlib.sha256(repr(batch).encode("utf-8", "surrogatepass")).hexdigest()
        for app, kind, results in ((count, "wc", counts), (checksum, "sha256", sums)):
            output = File(folder / f"{number:05}.{kind}")
            named = app.options(name=f"{kind} {number}")
            future = _watch(named(inputs=files, outputs=[output], stamp=stamp), ledger)
            results.append(future.outputs[0])
    return counts, sums


def settled(
    futures: Sequence["Future[ModuleFacts]"], sources: Sequence[Source]
) -> "Future[list[ModuleFacts | Unreadable]]":
    """A future of what became of each: one module that fails does not fail its package."""
    whole: Future[list[ModuleFacts | Unreadable]] = Future()
    left = len(futures)
    lock = threading.Lock()

    def one_is_done(_: object) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        whole.set_result(
            [_what_became(future, source) for future, source in zip(futures, sources, strict=True)]
        )

    if not futures:
        whole.set_result([])
    for future in futures:
        future.add_done_callback(one_is_done)
    return whole


def _what_became(future: "Future[ModuleFacts]", source: Source) -> ModuleFacts | Unreadable:
    if future.cancelled():
        return Unreadable(source.path, "cancelled")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UnreadableModule):
        return Unreadable(error.path, error.reason)
    return Unreadable(source.path, f"{type(error).__name__}: {error}")


def _watch(future: _F, ledger: Ledger) -> _F:
    """Count the task, now and when it ends."""
    ledger.expect()
    future.add_done_callback(
        lambda done: ledger.settle(not done.cancelled() and done.exception() is None)
    )
    return future
