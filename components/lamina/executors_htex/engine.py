"""What runs while a HighThroughputExecutor runs: threads around the client's machine.

``io`` reads the interchange's socket and runs none of the user's code. ``delivery`` decodes
results and reports them. ``blocks`` talks to the provider. Whoever has an event for the
machine takes the lock, tells it, and performs the effects in the same breath: none of them
waits or runs foreign code, so their order is the machine's.

Frames gather in the link. Where a worker may be idle they are sent at once; otherwise by the
io thread, which is woken for it once: so a burst of submissions becomes a few frames.
"""

import logging
import os
import select
import shutil
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from weakref import ref

from lamina.blocks import ManagerWork, Work
from lamina.codec import Codec, Content, any_shared
from lamina.executors import Outcome, Report, Site, TaskRequest
from lamina.executors_htex.blocks import Blocks
from lamina.executors_htex.configs import (
    interchange_config,
    make_socket_dir,
    manager_config,
    write_manager_config,
)
from lamina.executors_htex.delivery import Delivery, HandleGone
from lamina.executors_htex.guard import guard_of
from lamina.executors_htex.link import Link
from lamina.executors_htex.refusals import refusal, refused
from lamina.executors_htex.repeats import LARGE, Repeats
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding
from lamina.executors_htex.wiring import Written, unsendable, write, write_initializer
from lamina.htex_core import (
    Broken,
    Buffer,
    ClientEffect,
    ClientMachine,
    Deliver,
    Ended,
    Form,
    Levels,
    MalformedFrame,
    ManagerCame,
    ManagerLoad,
    ManagerWent,
    Ran,
    Ready,
    SendUp,
    Sorted,
    StartInterchange,
    Unfit,
    unpack,
    wrapped,
)
from lamina.processes import Identity, has_ended, tail
from lamina.vocabulary import AttemptId, BlockId

__all__ = ["Engine"]

_LOG = logging.getLogger(__name__)

LEAVING = 3.0  # seconds that the interchange has for telling the managers to leave
LOOK_FOR_MANAGERS = 0.25  # seconds between two looks whether an awaited manager still lives
GATHER_LIMIT = 64  # tasks; whoever brings one more sends them all


class Engine:
    """One run of one executor, from start to close."""

    def __init__(self, settings: Settings, site: Site, codec: Codec, package: str) -> None:
        self.settings, self.site, self.codec, self.package = settings, site, codec, package
        self._initializer = write_initializer(settings.initializer, settings.initargs, codec)
        self.directory = site.run_dir / settings.label
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._order = settings.own_order
        self._machine = ClientMachine(
            patience=settings.heartbeat_threshold + 2.0,
            make_queue=Levels if self._order is None else Sorted,
        )
        self._link: Link | None = None
        self._shared: dict[bytes, ref[Content]] = {}
        self._repeats = Repeats()
        self._closed = False
        self._taken = 0
        """Attempts that were ever launched."""
        self._hangup, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._io_awake = True
        self._addressed = False
        self._blocks = Blocks(
            settings,
            site,
            self.directory,
            self.work,
            lambda block: self.drain((), (block,)),
            self._fail,
        )
        self.guard = guard_of(settings, site, drain=self.drain, hold=self.hold, unhold=self.unhold)
        self._delivery = Delivery(settings.label, codec, self.guard, self._let_go)
        self._socket_dir = None if settings.bind() is not None else make_socket_dir()
        self._config = interchange_config(settings, self.directory, package, self._socket_dir)
        self._threads = [
            threading.Thread(
                target=self._run, args=(target,), name=f"{settings.label}-{name}", daemon=True
            )
            for name, target in (
                ("io", self._run_io),
                ("delivery", self._delivery.run),
                ("blocks", self._blocks.run),
            )
        ]

    def start(self) -> None:
        """Start the interchange and the threads; a block of this host starts beside it."""
        with self._lock:
            self._perform(self._machine.start(time.monotonic()))
        if self.settings.provider.blocks_are_local:
            self._write_down([])
            self._blocks.ready()
        for thread in self._threads:
            thread.start()

    # What the executor asks of it.

    def launch(self, tasks: Sequence[TaskRequest], report: Report) -> bool:
        """Take attempts; False when it has been closed."""
        sent: list[Written] = []
        bad: list[Outcome] = []
        delivery = self._delivery
        shared: dict[int, list[Content]] | None = {} if any_shared() else None
        for task in tasks:
            delivery.expect(task, report)
            if task.avoid or task.expected is not None:
                why = refusal(task, self.settings.provider)
                if why:
                    bad.append(refused(task, why))
                    continue
            try:
                written = write(task, self.codec, self._order, shared)
            except Exception as error:  # whatever the user's classes do while pickled
                bad.append(unsendable(task, error))
            else:
                sent.append(written)
                buffers = written[0][2]
                if len(buffers) > 1 or len(buffers[0]) >= LARGE:
                    self._repeats.look(task, [*map(len, buffers)])
        machine = self._machine
        with self._lock:
            if self._closed:
                delivery.forget(tasks)
                return False
            before = machine.outstanding
            self._taken += len(sent)
            told = self._told_of(shared) if shared else {}
            self._perform(machine.submitted(sent, told))
            short = before <= machine.slots < machine.outstanding
            link = self._link
            if link is not None and link.gathered:
                if machine.workers_idle or link.gathered >= GATHER_LIMIT:
                    self._flush(link)
                elif not self._io_awake:
                    self._wake_io()
        if short:
            self._blocks.stir()
        if bad:
            delivery.put(bad)
        return True

    def _told_of(
        self, shared: Mapping[int, Sequence[Content]]
    ) -> Mapping[int, Sequence[tuple[bytes, Form]]]:
        """What tasks share, for the machine, which will hear when no handle is left to it."""
        for contents in shared.values():
            for content in contents:
                known = self._shared.get(content.digest)
                if known is None or known() is not content:
                    told = _tell_when_gone(self._delivery, content.digest)
                    self._shared[content.digest] = ref(content, told)
        return {
            attempt: [(content.digest, wrapped(content.data)) for content in contents]
            for attempt, contents in shared.items()
        }

    def _let_go(self, digest: bytes) -> None:
        with self._lock:
            known = self._shared.get(digest)
            if self._closed or known is None or known() is not None:
                return  # there is another handle to the same by now
            del self._shared[digest]
            self._perform(self._machine.handle_gone(digest))
            if self._link is not None:
                self._flush(self._link)

    def cancel(self, attempts: Collection[AttemptId]) -> None:
        """Stop these attempts."""
        with self._lock:
            self._tell(self._machine.cancelled(attempts))

    def outstanding(self) -> int:
        """Unresolved attempts."""
        return self._machine.outstanding

    def work(self) -> Work:
        """What there is to do."""
        with self._lock:
            machine = self._machine
            managers = {
                uid: ManagerWork(load.busy, load.idle_since, load.draining)
                for uid, load in machine.loads.items()
            }
            return Work(machine.outstanding, self._taken - machine.outstanding, managers)

    def slots(self) -> int:
        """Workers that may be given tasks."""
        return self._machine.slots

    def managers(self) -> list[Any]:
        """The managers that are connected."""
        with self._lock:
            return list(self._machine.managers.values())

    def loads(self) -> Mapping[str, ManagerLoad]:
        """How busy each manager is; ``idle_since`` is on the monotonic clock of this process."""
        with self._lock:
            return dict(self._machine.loads)

    def drain(self, managers: Collection[str], blocks: Collection[str] = ()) -> None:
        """Let these managers leave once what they run has ended, and all of these blocks."""
        with self._lock:
            self._tell(self._machine.drain(managers, blocks))

    def hold(self, block: str) -> None:
        """Give the managers of a block no more tasks."""
        with self._lock:
            self._tell(self._machine.hold(block))

    def unhold(self, block: str) -> None:
        """Give them tasks again."""
        with self._lock:
            self._tell(self._machine.unhold(block))

    def scale(self, blocks: int | None) -> None:
        """Have so many blocks; None asks the strategy again."""
        self._blocks.scale(blocks)

    def addresses(self) -> Sequence[str]:
        """Each way by which a node may reach the interchange."""
        # Late: a program has no use for zmq until somebody asks this.
        from lamina.htex_wire import addresses_of

        return [one for name in self._blocks.addresses() for one in addresses_of(name)]

    def last_words(self, block: BlockId) -> str:
        """The last lines that a block has written."""
        return self._blocks.last_words.of(block)

    def blocks(self) -> Sequence[BlockStanding]:
        """What is known of each block."""
        return self._blocks.standings()

    def close(self, timeout: float | None) -> None:
        """End everything; every attempt has its outcome when this returns."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._machine.broken is None:
                self._perform(self._machine.fail("the executor was closed", "closed"))
            if self._link is not None:
                self._flush(self._link)
            self._wake_io()
        self._blocks.stop()
        self._delivery.stop()
        current = threading.current_thread()
        for thread in self._threads:
            if thread is not current:
                thread.join(timeout)
        patience = LEAVING if timeout is None else min(LEAVING, max(0.1, timeout))
        link = self._link
        if link is not None:
            link.close(patience)
        self._blocks.cancel_all(patience)
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        os.close(self._hangup)
        os.close(self._wake)

    # Effects; the lock is held, nothing here waits.

    def _perform(self, effects: list[ClientEffect]) -> None:
        news: list[ClientEffect] = []
        for effect in effects:
            if type(effect) is SendUp:
                if self._link is not None:
                    self._link.put(effect.kind, effect.body)
            elif isinstance(effect, Deliver | Ended | Ran | Unfit):
                news.append(effect)
            elif isinstance(effect, ManagerCame | ManagerWent):
                self._blocks.hear(effect)
                news.append(effect)
            elif type(effect) is StartInterchange:
                log = self.directory / "interchange.log"
                self._link = Link(effect.epoch, self._config, log)
            elif type(effect) is Ready:
                self._note_address(effect.body["address"])
            elif type(effect) is Broken:
                self._blocks.give_up()
        if news:
            self._delivery.put(news)

    def _tell(self, effects: list[ClientEffect]) -> None:
        self._perform(effects)
        if self._link is not None:
            self._flush(self._link)

    def _flush(self, link: Link) -> None:
        link.flush()
        if link.full and not self._io_awake:
            self._wake_io()

    def _wake_io(self) -> None:
        self._io_awake = True
        os.write(self._wake, b"x")

    def _note_address(self, address: str) -> None:
        if not self._addressed:
            # Restarts use the same address, so that the managers find them.
            self._config["bind"] = address
            self._write_down([address])
            self._addressed = True
        self._blocks.ready()

    def _write_down(self, addresses: Sequence[str]) -> None:
        config = manager_config(self.settings, self._config, self._initializer)
        write_manager_config(self.directory, config, addresses)

    def _fail(self, reason: str) -> None:
        with self._lock:
            if self._machine.broken is None:
                self._perform(self._machine.fail(reason))
                if self._link is not None:
                    self._flush(self._link)

    def _run(self, work: Callable[[], None]) -> None:
        """Do a thread's work; if it dies of a fault, no future waits for what it had to do."""
        try:
            work()
        except Exception as error:  # a fault of ours, or of a plug-in of the user's
            name = threading.current_thread().name
            reason = f"thread {name} has died of {type(error).__name__}: {error}"
            self._fail(reason)
            if work == self._delivery.run:
                self._delivery.end_all(reason)
                work()

    # The io thread.

    def _run_io(self) -> None:
        frames: list[Buffer] | None = []
        while True:
            now = time.monotonic()
            with self._lock:
                link = self._link
                if self._closed or link is None:
                    return
                self._take_in(frames or (), now)
                link.flush()
                writing = link.full
                timeout = self._io_timeout(now)
                if frames is not None:
                    self._io_awake = False  # whoever gathers frames from here on wakes us
            if frames is None:
                self._bury(link)
                frames = []
                continue
            frames = self._wait(link, writing, timeout)

    def _take_in(self, frames: Sequence[Buffer], now: float) -> None:
        machine = self._machine
        for data in frames:
            try:
                frame = unpack(data, "interchange")
            except MalformedFrame:
                _LOG.exception("executor %r dropped a frame", self.settings.label)
            else:
                self._perform(machine.frame(*frame, now))
        self._perform(machine.time_passed(now))
        for awaited in machine.awaited:
            identity = Identity.read(awaited.boot)
            if identity is not None and has_ended(identity):
                self._perform(machine.manager_gone(awaited.uid, "its process is gone"))

    def _wait(self, link: Link, writing: bool, timeout: float | None) -> list[Buffer] | None:
        poller = select.poll()
        poller.register(link.socket, select.POLLIN | (select.POLLOUT if writing else 0))
        poller.register(self._hangup, select.POLLIN)
        ready = dict(poller.poll(timeout))
        if self._hangup in ready:
            os.read(self._hangup, 4096)
        return link.receive() if ready.get(link.socket.fileno(), 0) & ~select.POLLOUT else []

    def _io_timeout(self, now: float) -> float | None:
        deadline = self._machine.next_deadline()
        if deadline is None:
            return None
        return 1000 * max(0.0, min(LOOK_FOR_MANAGERS, deadline - now))

    def _bury(self, link: Link) -> None:
        status = link.close(LEAVING)
        said = tail(link.log, 10)
        with self._lock:
            if not self._closed:
                why = f"exit status {status}; {said}"
                self._perform(self._machine.interchange_died(time.monotonic(), why))
                if self._machine.broken is not None:
                    self._link = None


def _tell_when_gone(delivery: Delivery, digest: bytes) -> Callable[[object], None]:
    """Called wherever the last handle is dropped, perhaps within our own lock: it only says so."""

    def gone(_: object) -> None:
        delivery.put([HandleGone(digest)])

    return gone
