"""What runs while a HighThroughputExecutor runs: three threads around the client's machine.

``io`` reads the interchange's socket and runs none of the user's code. ``delivery`` decodes
results and reports them. ``blocks`` talks to the provider. Whoever has an event for the
machine takes the lock, tells it, and performs the effects in the same breath: none of them
waits or runs foreign code, so their order is the machine's.
"""

import json
import os
import platform
import select
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from lamina.blocks import BlockEffect, BlockKeeper, CancelJobs, Fail, SubmitBlock
from lamina.codec import Codec
from lamina.executors import News, Outcome, Payload, Report, Site, Started, TaskRequest
from lamina.executors_htex.link import Link
from lamina.executors_htex.outcomes import outcome_of, outcomes_of_ended
from lamina.executors_htex.settings import Settings
from lamina.htex_core import (
    Broken,
    ClientEffect,
    ClientMachine,
    Deliver,
    Ended,
    ManagerCame,
    ManagerWent,
    Ran,
    Ready,
    SendUp,
    StartInterchange,
    WireTask,
    pack,
    unpack,
)
from lamina.processes import boot_id, tail
from lamina.providers import BlockRequest, ProviderError
from lamina.scaling import FailingBlocks
from lamina.vocabulary import (
    AttemptId,
    BlockId,
    Cause,
    Event,
    Failure,
    HasStarted,
    SerializationError,
)

__all__ = ["Engine"]

ROOT = __package__.rpartition(".")[0]
LEAVING = 3.0  # seconds that the interchange has for telling the managers to leave
LOOK_FOR_MANAGERS = 0.25  # seconds between two looks whether an awaited manager still lives


class Engine:
    """One run of one executor, from start to close."""

    def __init__(self, settings: Settings, site: Site, codec: Codec, package: str) -> None:
        self.settings, self.site, self.codec, self.package = settings, site, codec, package
        self.directory = site.run_dir / settings.label
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "blocks").mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._machine = ClientMachine(patience=settings.heartbeat_threshold + 2.0)
        self._link: Link | None = None
        self._address: str | None = None
        self._reports: dict[int, Report] = {}
        self._deliveries: SimpleQueue[list[ClientEffect] | list[Outcome] | None] = SimpleQueue()
        self._closed = False
        self._hangup, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._socket_dir: str | None = None
        provider = settings.provider
        self._keeper = BlockKeeper(
            strategy=settings.strategy,
            errors=FailingBlocks(),
            init_blocks=provider.init_blocks,
            min_blocks=provider.min_blocks,
            max_blocks=provider.max_blocks,
            parallelism=provider.parallelism,
            slots_per_block=provider.nodes_per_block * settings.workers_guess,
            max_idletime=settings.max_idletime,
        )
        self._ready = False
        self._blocks_changed = threading.Condition(self._lock)
        self._block_news: list[ManagerCame | ManagerWent] = []
        self._stderr: dict[BlockId, Path] = {}
        self._config = self._interchange_config()
        self._threads = [
            threading.Thread(target=target, name=f"{settings.label}-{name}", daemon=True)
            for name, target in (
                ("io", self._run_io),
                ("delivery", self._run_delivery),
                ("blocks", self._run_blocks),
            )
        ]

    def start(self) -> None:
        """Start the interchange and the threads."""
        with self._lock:
            self._perform(self._machine.start(time.monotonic()))
        for thread in self._threads:
            thread.start()

    # What the executor asks of it.

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> bool:
        """Take attempts; False when it has been closed."""
        sent: list[tuple[WireTask, float, bytes | None]] = []
        bad: list[Outcome] = []
        reports = self._reports
        for task in tasks:
            reports[task.attempt] = report
            try:
                sent.append(self._write(task))
            except Exception as error:  # whatever the user's classes do while pickled
                bad.append(_unsendable(task, error))
        with self._lock:
            if self._closed:
                for task in tasks:
                    reports.pop(task.attempt, None)
                return False
            idle = self._machine.outstanding == 0
            self._perform(self._machine.submitted(sent))
            if idle:
                self._blocks_changed.notify()
        if bad:
            self._deliveries.put(bad)
        return True

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Stop these attempts."""
        with self._lock:
            self._perform(self._machine.cancelled(attempts))

    def outstanding(self) -> int:
        """Unresolved attempts."""
        return self._machine.outstanding

    def managers(self) -> list[Any]:
        """The managers that are connected."""
        with self._lock:
            return list(self._machine.managers.values())

    def close(self, timeout: float | None) -> None:
        """End everything; every attempt has its outcome when this returns."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._machine.broken is None:
                self._perform(self._machine.fail("the executor was closed", "closed"))
            self._blocks_changed.notify()
        self._deliveries.put(None)
        os.write(self._wake, b"x")
        current = threading.current_thread()
        for thread in self._threads:
            if thread is not current:
                thread.join(timeout)
        link = self._link
        if link is not None:
            link.close(LEAVING if timeout is None else min(LEAVING, max(0.1, timeout)))
        self._cancel_jobs(list(self._keeper.jobs))
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        os.close(self._hangup)
        os.close(self._wake)

    # Writing.

    def _write(self, task: TaskRequest) -> tuple[WireTask, float, bytes | None]:
        options: dict[str, Any] = {}
        if task.walltime is not None:
            options["walltime"] = task.walltime
        if task.env:
            options["env"] = dict(task.env)
        call = task.call
        if isinstance(call, Payload):
            options["runner"] = call.runner
            return [task.attempt, None, [call.data], options], task.priority, None
        form = self.codec.dump_call(call.function, call.args, call.kwargs)
        function = form.function
        digest = None if function is None else function.digest
        wire = [task.attempt, digest, list(form.buffers), options or None]
        return wire, task.priority, None if function is None else function.form

    # Effects; the lock is held, nothing here waits.

    def _perform(self, effects: list[ClientEffect]) -> None:
        news: list[ClientEffect] = []
        for effect in effects:
            if type(effect) is SendUp:
                if self._link is not None:
                    self._link.send(pack(effect.kind, self._link.epoch, effect.body))
                    if self._link.full:
                        os.write(self._wake, b"x")
            elif isinstance(effect, Deliver | Ended | Ran):
                news.append(effect)
            elif isinstance(effect, ManagerCame | ManagerWent):
                self._block_news.append(effect)
                self._blocks_changed.notify()
            elif type(effect) is StartInterchange:
                log = self.directory / "interchange.log"
                self._link = Link(effect.epoch, self._config, log)
            elif type(effect) is Ready:
                self._note_address(effect.body["address"])
            elif type(effect) is Broken:
                self._blocks_changed.notify()
        if news:
            self._deliveries.put(news)

    def _note_address(self, address: str) -> None:
        if not self._ready:
            # Restarts use the same address, so that the managers find them.
            self._config["bind"] = self._address = address
            self._write_manager_config(address)
            self._ready = True
        self._blocks_changed.notify()

    # The io thread.

    def _run_io(self) -> None:
        while not self._closed:
            link = self._link
            if link is None:
                return
            poller = select.poll()
            poller.register(link.socket, select.POLLIN | (select.POLLOUT if link.full else 0))
            poller.register(self._hangup, select.POLLIN)
            ready = dict(poller.poll(self._io_timeout()))
            if self._hangup in ready:
                _drain(self._hangup)
            frames = link.receive() if ready.get(link.socket.fileno(), 0) & ~select.POLLOUT else []
            now = time.monotonic()
            with self._lock:
                if link.full:
                    link.flush()
                for data in frames or ():
                    self._perform(self._machine.frame(*unpack(data), now))
                self._perform(self._machine.time_passed(now))
                for awaited in self._machine.awaited:
                    if awaited.boot == boot_id() and not Path(f"/proc/{awaited.pid}").exists():
                        why = "its process is gone"
                        self._perform(self._machine.manager_gone(awaited.uid, why))
            if frames is None and not self._closed:
                self._bury(link)

    def _io_timeout(self) -> float | None:
        deadline = self._machine.next_deadline()
        if deadline is None:
            return None
        return 1000 * max(0.0, min(LOOK_FOR_MANAGERS, deadline - time.monotonic()))

    def _bury(self, link: Link) -> None:
        status = link.close(LEAVING)
        said = tail(link.log, 10)
        with self._lock:
            if not self._closed:
                why = f"exit status {status}; {said}"
                self._perform(self._machine.interchange_died(time.monotonic(), why))
                if self._machine.broken is not None:
                    self._link = None

    # The delivery thread.

    def _run_delivery(self) -> None:
        while True:
            batch = self._deliveries.get()
            if batch is None:
                return
            by_report: dict[int, tuple[Report, list[News]]] = {}
            for item in batch:
                for news in self._news_of(item):
                    final = type(news) is Outcome
                    attempt = news.attempt
                    report = (self._reports.pop if final else self._reports.get)(attempt, None)
                    if report is not None:
                        by_report.setdefault(id(report), (report, []))[1].append(news)
            for report, some in by_report.values():
                report(some)

    def _news_of(self, item: ClientEffect | Outcome) -> Sequence[News]:
        if isinstance(item, Outcome):
            return [item]
        if isinstance(item, Deliver):
            return [outcome_of(wire, item.manager, self.codec) for wire in item.outcomes]
        if isinstance(item, Ended):
            return outcomes_of_ended(item)
        if isinstance(item, Ran):
            node = None if item.manager is None else item.manager.host
            return [Started(AttemptId(attempt), at, node) for attempt, at in item.marks]
        return []

    # The blocks thread.

    def _run_blocks(self) -> None:
        polled = time.monotonic()
        interval = self.settings.provider.status_polling_interval
        while True:
            with self._blocks_changed:
                if not self._closed and not self._block_news:
                    self._blocks_changed.wait(self._blocks_timeout(polled, interval))
                if self._closed:
                    return
                ready, news = self._ready, self._block_news
                self._block_news = []
                outstanding = self._machine.outstanding
                broken = self._machine.broken is not None
            if broken:
                self._cancel_jobs(list(self._keeper.jobs))
                return
            now = time.monotonic()
            self._take_block_news(news, now)
            if ready and now - polled >= interval and self._keeper.jobs:
                polled = now
                self._poll(now)
            if ready:
                self._do(self._keeper.decide(time.monotonic(), outstanding))

    def _blocks_timeout(self, polled: float, interval: float) -> float | None:
        if not self._ready:
            return None
        return max(0.01, polled + interval - time.monotonic())

    def _take_block_news(self, news: list[ManagerCame | ManagerWent], now: float) -> None:
        for item in news:
            info = item.manager
            block = BlockId(info.block)
            came = isinstance(item, ManagerCame)
            self._emit("manager.came" if came else "manager.lost", manager=info.uid, block=block)
            if isinstance(item, ManagerCame):
                self._keeper.manager_came(block, info.uid, info.slots, now)
            else:
                self._do(self._keeper.manager_went(block, info.uid, now, item.reason))

    def _poll(self, now: float) -> None:
        try:
            statuses = self.settings.provider.poll(list(self._keeper.jobs))
        except ProviderError as error:
            # No answer is no news: the blocks are where they were.
            self._emit("provider.silent", reason=str(error))
            return
        self._do(self._keeper.statuses(now, statuses))

    def _do(self, effects: list[BlockEffect]) -> None:
        for effect in effects:
            if isinstance(effect, SubmitBlock):
                self._submit(effect.block)
            elif isinstance(effect, CancelJobs):
                self._cancel_jobs(effect.jobs)
            elif isinstance(effect, Fail):
                self._fail(effect)

    def _submit(self, block: BlockId) -> None:
        folder = self.directory / "blocks"
        path = self.directory / "manager.json"
        command = (
            f"env LAMINA_BLOCK={shlex.quote(block)} {shlex.quote(sys.executable)} "
            f"-m {ROOT}.htex_worker_pool {shlex.quote(str(path.resolve()))}"
        )
        request = BlockRequest(
            block=block,
            name=f"lamina.{self.settings.label}.block-{block}",
            command=command,
            script_dir=folder,
            stdout=folder / f"block-{block}.stdout",
            stderr=folder / f"block-{block}.stderr",
        )
        self._stderr[block] = request.stderr
        self._emit("block.requested", block=block)
        try:
            job = self.settings.provider.submit(request)
        except ProviderError as error:
            self._do(self._keeper.submit_failed(block, time.monotonic(), str(error)))
        else:
            self._keeper.submitted(block, job)

    def _fail(self, effect: Fail) -> None:
        said = ""
        if effect.block is not None and effect.block in self._stderr:
            said = tail(self._stderr[effect.block], 20)
        reason = f"executor {self.settings.label!r} gives up: {effect.reason}"
        if said:
            reason += f". The last lines of its stderr:\n{said}"
        with self._lock:
            if self._machine.broken is None:
                self._perform(self._machine.fail(reason))

    def _cancel_jobs(self, jobs: list[Any]) -> None:
        if not jobs:
            return
        try:
            self.settings.provider.cancel(jobs)
        except ProviderError as error:
            self._emit("provider.silent", reason=str(error))

    # What is written down once.

    def _interchange_config(self) -> dict[str, Any]:
        settings = self.settings
        bind, encrypted = settings.bind(), settings.encrypted
        if bind is None:
            parent = os.environ.get("LAMINA_SOCKET_DIR", "/tmp")
            self._socket_dir = tempfile.mkdtemp(prefix="lamina-", dir=parent)
            bind, encrypted = f"ipc://{self._socket_dir}/interchange", False
        return {
            "bind": bind,
            "encrypted": encrypted,
            "keys": str((self.directory / "keys").resolve()),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "package": self.package,
            "heartbeat_period": settings.heartbeat_period,
            "heartbeat_threshold": settings.heartbeat_threshold,
            "socket_dir": self._socket_dir,
        }

    def _write_manager_config(self, address: str) -> None:
        config = {
            "addresses": [address],
            "block": "?",
            "codec": self.settings.codec_name,
            "encrypted": self._config["encrypted"],
            "heartbeat_period": self.settings.heartbeat_period,
            "heartbeat_threshold": self.settings.heartbeat_threshold,
            "keys": self._config["keys"],
            "package": self.package,
            "sys_path": [str(Path(entry).resolve()) for entry in sys.path if Path(entry).exists()],
            "workers": self.settings.workers,
        }
        path = self.directory / "manager.json"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def _emit(self, kind: str, **facts: object) -> None:
        if self.site.emit is not None:
            facts["executor"] = self.settings.label
            self.site.emit([Event(self.site.clock.wall(), kind, facts)])


def _unsendable(task: TaskRequest, error: Exception) -> Outcome:
    if not isinstance(error, SerializationError):
        why = f"{task.name or 'the call'} cannot be pickled: {type(error).__name__}: {error}"
        wrapped = SerializationError(why, HasStarted.NO)
        wrapped.__cause__ = error
        error = wrapped
    failure = Failure(cause=Cause.SERIALIZATION, error=error, started=HasStarted.NO)
    return Outcome(task.attempt, failure=failure)


def _drain(handle: int) -> None:
    try:
        os.read(handle, 4096)
    except BlockingIOError:
        pass
