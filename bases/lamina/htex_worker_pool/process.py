"""The manager's process: one on each node, with the zygote and the workers below it.

Its configuration is a JSON file for the user alone, whose path is its one argument: nothing
that is secret appears on a command line.

Its exit status is 0 when it left because it was told to, or was drained, or because the program
has ended, and 1 when something went wrong; the last line of its stderr says what.
"""

import json
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lamina.htex_core import (
    STOP,
    UNDONE,
    DropForms,
    Give,
    KillWorker,
    LeaveNode,
    MalformedFrame,
    ManagerEffect,
    ManagerInfo,
    ManagerMachine,
    Measure,
    Outgoing,
    Recall,
    SendOut,
    StartWorker,
    WrittenCall,
    make_plugin,
    memory_limit,
    out_of_memory,
    pack_parts,
    unpack,
    unwrapped,
    wrapped,
)
from lamina.htex_wire import Dealer, Keys, Refused, find, probe_time, read_keys
from lamina.htex_worker import (
    BY_WORKERS,
    DRY,
    NEED,
    OUTCOME,
    UNFIT,
    UP,
    MalformedRecord,
    Records,
    absent_record,
    drop_record,
    form_record,
    initializer_record,
    mark_record,
    read_need,
    read_outcome,
    read_unfit,
    read_up,
    task_record,
)
from lamina.htex_worker_pool.beginning import await_addresses, read_config
from lamina.htex_worker_pool.cgroups import Group, Groups
from lamina.htex_worker_pool.ending import block_end
from lamina.htex_worker_pool.memory import Gauge
from lamina.processes import (
    Identity,
    become_subreaper,
    descendants,
    kill_tree,
    own_identity,
    watch,
)
from lamina.resources import NodeBinder, ResourceBinder, read_node
from lamina.vocabulary import ConfigError, exit_in_words

__all__ = ["run"]

ROOT = __package__.rpartition(".")[0]
READ_SIZE = 2**16  # bytes; a larger buffer is mapped and unmapped each time, which costs more
PROBE = 5.0  # seconds for one attempt to reach the interchange
RECONNECT = 0.2  # seconds between two attempts
EFD_SEMAPHORE = os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC
GRACE = 1.0  # seconds for the last frames to leave
SIGNALLED = "the block was told to end"
ENDED = "the program has ended"


class _Told(Exception):
    """We are to leave, and nobody is there who should hear what became of our tasks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Pipe:
    """The manager's end of one worker."""

    def __init__(self, number: int, link: socket.socket, claims: int) -> None:
        self.number, self.link, self.claims = number, link, claims
        self.records = Records(BY_WORKERS)
        self.gauge: Gauge | None = None
        """Of its memory, once it is up."""
        self.group: Group | None = None
        """What the kernel counts its memory in, where it does."""
        self.struck = False
        """Whether it is being killed because the kernel has killed something of its."""
        self.out = Outgoing()
        self.ended = False
        self.status: int | None = None
        self.why = ""
        """Why we are killing it, if we are."""
        self.recall_waits = False
        """Whether a recall found nothing left, which is told once its words are read."""

    def read(self) -> Iterable[tuple[int, memoryview]] | None:
        """What the worker has said, in records; None when it is gone.

        Raises:
            BlockingIOError: Nothing just now.
        """
        room = self.records.room
        try:
            if room is not None:
                count = self.link.recv_into(room)
                return self.records.filled(count) if count else None
            data = self.link.recv(READ_SIZE)
        except ConnectionResetError:
            return None
        return self.records.feed(data) if data else None

    def unclaimed(self) -> int:
        """Take all claims that are left, and say how many there were."""
        count = 0
        while True:
            try:
                os.eventfd_read(self.claims)
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self.link.close()
        os.close(self.claims)


class _Shell:
    def __init__(self, path: Path) -> None:
        self.config = config = read_config(path)
        self.program = _program(config)
        self.signals = _hear_signals()
        self.worker_limit: int | None = config.get("worker_memory_limit")
        self.groups = None if self.worker_limit is None else _groups()
        # It takes as long to start as all the rest; if we fail, it ends because we have.
        self.zygote, self.control = self.start_zygote()
        binder = _binder(config)
        offer = binder.offer(read_node(config["workers"]))
        info = ManagerInfo(
            uid=uuid.uuid4().hex[:12],
            block=os.environ.get("LAMINA_BLOCK", config["block"]),
            host=platform.node(),
            boot=own_identity().text,
            pid=os.getpid(),
            slots=offer.workers,
            python=".".join(platform.python_version_tuple()[:2]),
            package=config["package"],
        )
        self.machine = ManagerMachine(
            info,
            heartbeat_period=config["heartbeat_period"],
            heartbeat_threshold=config["heartbeat_threshold"],
            wall_offset=time.time() - time.monotonic(),
            binder=binder,
            prefetch=config.get("prefetch"),
            watched_limit=self.worker_limit,
            offer=offer.totals(),
            drain_period=config.get("drain_period"),
            block_ends=block_end(os.environ, config.get("walltime"), time.time(), time.monotonic()),
        )
        said = config.get("initializer")
        self.initializer = None if said is None else WrittenCall.read(said)
        self.pipes: dict[int, _Pipe] = {}
        self.by_handle: dict[int, _Pipe] = {}
        self.left: LeaveNode | None = None
        self.refused = Refused()
        self.in_order = False
        """Whether we leave because somebody said so."""
        self.addresses = self.find_addresses(path)
        self.keys: Keys | None = None
        if config["encrypted"]:
            self.keys = read_keys(Path(config["keys"]), "manager")
        # By now it listens; a restart of it may take a moment.
        patience = min(probe_time(self.addresses), config["heartbeat_threshold"])
        self.dealer = self.connect(patience)
        self.watch_all()

    # Connections.

    def told_by(self) -> list[int]:
        """What can be read when we are to leave: a signal has come, or the program has ended."""
        return [self.signals] if self.program is None else [self.signals, self.program]

    def why_told(self, handle: int) -> _Told:
        return _Told(ENDED if handle == self.program else SIGNALLED)

    def find_addresses(self, path: Path) -> list[str]:
        """Where the interchange listens."""
        patience: float = self.config["heartbeat_threshold"]
        found = await_addresses(path, self.told_by(), patience)
        if isinstance(found, int):
            raise self.why_told(found)
        if found is None:
            sys.stderr.write(f"the interchange has not begun to listen within {patience:g} s\n")
            raise SystemExit(1)
        return found

    def connect(self, patience: float) -> Dealer:
        """Find the interchange, by whichever of its addresses leads there from this node."""
        began = time.monotonic()
        while True:
            dealer, attempts = find(self.addresses, self.keys, min(PROBE, patience))
            took = time.monotonic() - began
            said = "".join(f"\n  {attempt}" for attempt in attempts)
            if dealer is not None:
                if attempts:
                    sys.stderr.write(f"reached the interchange in {took:.1f} s, but not by{said}\n")
                return dealer
            if took >= patience:
                sys.stderr.write(f"cannot reach the interchange within {took:.1f} s:{said}\n")
                raise SystemExit(1)
            ready, _, _ = select.select(self.told_by(), (), (), RECONNECT)
            if ready:
                raise self.why_told(ready[-1])

    def reconnect(self) -> None:
        """The connection broke: the other side may be a new epoch. Old frames go with it."""
        self.dealer.close()
        self.dealer = self.connect(self.machine.lease_ends - time.monotonic())
        self.watch_all()
        self.perform(self.machine.reconnected(time.monotonic()))

    def watch_all(self) -> None:
        self.dealer.watch(self.signals)
        if self.program is not None:
            self.dealer.watch(self.program)
        self.dealer.watch(self.control.fileno())
        for pipe in self.pipes.values():
            if not pipe.ended:
                self.dealer.watch(pipe.link.fileno(), writing=bool(pipe.out))

    def start_zygote(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = f"{ROOT}.htex_worker"
        command = [sys.executable, "-m", module, str(theirs.fileno())]
        # A session of its own: when we are killed, it ends what workers have started, and whoever
        # kills the rest of the block's session at that moment must not hit it.
        zygote = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        said = {"codec": self.config["codec"], "sys_path": self.config["sys_path"]}
        if self.groups is not None:
            said["groups"] = str(self.groups.path)  # it outlives us, should we be killed
        ours.send(json.dumps(said).encode())
        return zygote, ours

    # The loop.

    def run(self) -> str:
        machine = self.machine
        self.perform(machine.start(time.monotonic()))
        while self.left is None:
            timeout = machine.next_deadline(time.monotonic()) - time.monotonic()
            ready = self.dealer.wait(max(0.0, timeout))
            now = time.monotonic()
            if -1 in ready or self.dealer.lost:
                # The last words before a connection broke may be that we are to leave.
                for data in self.dealer.receive():
                    try:
                        frame = unpack(data, "interchange")
                    except MalformedFrame as error:
                        self.refused.one("the interchange", error)
                        continue
                    self.in_order = self.in_order or frame.kind == STOP
                    self.perform(machine.frame(*frame, now))
            if self.dealer.lost and self.left is None:
                self.reconnect()
                continue
            for handle, writable in ready.items():
                pipe = self.by_handle.get(handle)
                if pipe is not None:
                    self.serve(pipe, writable, now)
                elif handle == self.control.fileno():
                    self.listen(now)
                elif handle == self.signals:
                    self.in_order = True
                    self.end(SIGNALLED, "block_ended", now)
                elif handle == self.program:
                    raise _Told(ENDED)
            self.perform(machine.flush(now))
            if now >= machine.next_deadline(now):
                self.perform(machine.time_passed(now))
        return self.left.reason

    def serve(self, pipe: _Pipe, writable: bool, now: float) -> None:
        if writable and pipe.out:
            self.write(pipe)
        if not pipe.ended:
            self.read(pipe, now)

    def read(self, pipe: _Pipe, now: float) -> bool:
        """Take what a worker said; False when there is nothing more just now."""
        try:
            words = pipe.read()
        except BlockingIOError:
            return False
        if words is None:
            pipe.ended = True
            self.dealer.unwatch(pipe.link.fileno())
            self.bury(pipe, now)
            return False
        try:
            for kind, body in words:
                self.take(pipe, kind, body, now)
        except MalformedRecord as error:
            # Only this worker is harmed; what it holds ends when it is dead.
            pipe.why = f"its task wrote to the worker's own socket ({error}), so it was killed"
            pipe.ended = True
            self.dealer.unwatch(pipe.link.fileno())
            self.tell_zygote({"kill": pipe.number})
            return False
        return True

    def take(self, pipe: _Pipe, kind: int, body: memoryview, now: float) -> None:
        machine = self.machine
        if kind == OUTCOME:
            report = read_outcome(body)
            buffers = [wrapped(memoryview(buffer).toreadonly()) for buffer in report.buffers]
            outcome = [report.attempt, report.code, buffers, report.began, report.ended, None]
            group = pipe.group
            # Asked where it can be meant for no other task of the same worker.
            alone = group is not None and machine.holds(pipe.number) == 1
            if group is not None and (pipe.struck or (alone and group.has_killed())):
                facts = out_of_memory(group.peak, group.limit, pipe.number)
                outcome = [report.attempt, UNDONE, [], report.began, report.ended, facts]
            self.perform(machine.worker_ended_task(pipe.number, outcome, now))
        elif kind == UP:
            self.measure_from_now(pipe, read_up(body))
            self.perform(machine.worker_up(pipe.number, now))
        elif kind == UNFIT and pipe.gauge is None:  # later, it is not its initializer that failed
            self.perform(machine.worker_unfit(pipe.number, read_unfit(body), now))
        elif kind == DRY:
            self.perform(machine.worker_dry(pipe.number, now))
        elif kind == NEED:
            self.perform(machine.worker_needs(pipe.number, [read_need(body)], now))
        else:
            raise MalformedRecord(f"a record of kind {kind}")
        if pipe.recall_waits and kind == OUTCOME:
            pipe.recall_waits = False
            self.perform(machine.recalled(pipe.number, 0, now))

    def listen(self, now: float) -> None:
        """The zygote says that a worker is dead, or is dead itself."""
        try:
            data = self.control.recv(READ_SIZE)
        except ConnectionResetError:
            data = b""
        if not data:
            self.end("the process that starts workers has died", "worker_lost", now)
            return
        said = json.loads(data)
        pipe = self.pipes[said["dead"]]
        pipe.status = said["status"]
        self.bury(pipe, now)

    def bury(self, pipe: _Pipe, now: float) -> None:
        """A worker is done for when its last words are read and its process is gone."""
        if pipe.status is None:
            return
        if not pipe.ended:
            while self.read(pipe, now):
                pass
            if not pipe.ended:  # something else holds its socket open; its words are all here
                pipe.ended = True
                self.dealer.unwatch(pipe.link.fileno())
        if self.pipes.pop(pipe.number, None) is None:
            return
        del self.by_handle[pipe.link.fileno()]
        unclaimed = pipe.unclaimed()
        pipe.close()
        if pipe.group is not None:
            if pipe.group.has_killed():  # and now nothing is left to be killed
                self.machine.killed_by_kernel(pipe.number, pipe.group.peak, pipe.group.limit)
            pipe.group.remove()
        how = pipe.why or exit_in_words(pipe.status)
        self.perform(self.machine.worker_died(pipe.number, how, unclaimed, now))

    def end(self, reason: str, cause: str, now: float) -> None:
        """Kill all workers, then say what each of them had begun, and give back what not."""
        # But not the zygote: should we be killed before we are done, it clears up after us.
        kill_tree(pid for pid in descendants(os.getpid()) if pid != self.zygote.pid)
        for pipe in list(self.pipes.values()):
            while not pipe.ended and self.read(pipe, now):
                pass
        unclaimed = {number: pipe.unclaimed() for number, pipe in self.pipes.items()}
        self.perform(self.machine.stop(reason, now, unclaimed, cause))

    # Effects.

    def perform(self, effects: Sequence[ManagerEffect]) -> None:
        for effect in effects:
            if type(effect) is Give:
                self.give(effect)
            elif type(effect) is DropForms:
                self.drop(effect)
            elif type(effect) is SendOut:
                self.dealer.send(pack_parts(effect.kind, self.machine.epoch, effect.body))
            elif type(effect) is Recall:
                self.recall(effect.worker)
            elif type(effect) is StartWorker:
                self.start_worker(effect)
            elif type(effect) is KillWorker:
                self.tell_zygote({"kill": effect.worker})
            elif type(effect) is Measure:
                self.measure(effect)
            elif type(effect) is LeaveNode:
                self.left = effect
                self.in_order = self.in_order or effect.drained

    def give(self, effect: Give) -> None:
        pipe = self.pipes.get(effect.worker)
        if pipe is None:
            return
        if pipe.gauge is not None and effect.tasks:
            if _limited(effect) or self.machine.watched_limit is not None:
                pipe.gauge.reset(limited=_limited(effect))
        if effect.tasks:
            os.eventfd_write(pipe.claims, len(effect.tasks))
        for digest, form in effect.forms:
            if form is None:
                pipe.out.add((absent_record(digest),))
            else:
                pipe.out.add(form_record(digest, unwrapped(form)))
        for attempt, digest, buffers, options in effect.tasks:
            pipe.out.add(task_record(attempt, digest, [*map(unwrapped, buffers)], options))
        self.write(pipe)

    def drop(self, effect: DropForms) -> None:
        pipe = self.pipes.get(effect.worker)
        if pipe is not None:
            pipe.out.add([drop_record(digest) for digest in effect.digests])
            self.write(pipe)

    def measure_from_now(self, pipe: _Pipe, pid: int) -> None:
        """A worker is ready: what it uses from now on counts."""
        pipe.gauge = Gauge(pid)
        if self.groups is None or self.worker_limit is None:
            return
        try:
            pipe.group = self.groups.make(pipe.number, self.worker_limit)
            pipe.group.take(pid)
        except OSError as error:
            if pipe.group is not None:
                pipe.group.remove()
                pipe.group = None
            sys.stderr.write(f"a worker is watched instead, for lack of a cgroup: {error}\n")

    def measure(self, effect: Measure) -> None:
        """See what a task uses, beyond what its worker used before it; or what the kernel says."""
        pipe = self.pipes.get(effect.worker)
        group = None if pipe is None else pipe.group
        if pipe is not None and group is not None and group.has_killed():
            pipe.struck = True
            self.perform(self.machine.killed_by_kernel(effect.worker, group.peak, group.limit))
        elif group is not None and effect.limit >= group.limit:
            return  # the kernel sees to it
        elif pipe is not None and pipe.gauge is not None:
            used = pipe.gauge.used(effect.limit)
            self.perform(self.machine.measured(effect.worker, used, time.monotonic()))

    def recall(self, worker: int) -> None:
        """Take a worker's claims back.

        If none is left, all that it holds has begun and outcomes are on their way; told at
        once, the machine would ask again and again before any of them is read.
        """
        pipe = self.pipes.get(worker)
        count = 0 if pipe is None else pipe.unclaimed()
        if pipe is not None and count == 0:
            pipe.recall_waits = True
        else:
            if pipe is not None:
                pipe.out.add((mark_record(),))
                self.write(pipe)
            self.perform(self.machine.recalled(worker, count, time.monotonic()))

    def write(self, pipe: _Pipe) -> None:
        try:
            while pipe.out:
                pipe.out.sent(pipe.link.sendmsg(pipe.out.head()))
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            pipe.out.clear()  # it is dying; the zygote will say so
        if not pipe.ended:
            self.dealer.watch(pipe.link.fileno(), writing=bool(pipe.out))

    def tell_zygote(self, message: dict[str, Any], *handles: int) -> None:
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], handles)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is dead; listening to it will say so

    def start_worker(self, effect: StartWorker) -> None:
        number = effect.worker
        message: dict[str, Any] = {"fork": number}
        if effect.binding is not None:
            message |= {"env": dict(effect.binding.env), "cpus": effect.binding.cpus}
        if self.initializer is not None:
            message["initializer"] = True
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        claims = os.eventfd(0, EFD_SEMAPHORE)
        self.tell_zygote(message, theirs.fileno(), claims)
        theirs.close()
        pipe = _Pipe(number, ours, claims)
        self.pipes[number] = self.by_handle[ours.fileno()] = pipe
        self.dealer.watch(ours.fileno())
        if (first := self.initializer) is not None:
            if first.digest is not None and first.form is not None:
                pipe.out.add(form_record(first.digest, first.form))
            pipe.out.add(initializer_record(first.digest, first.buffers))
            self.write(pipe)

    def close(self) -> None:
        """Leave nothing below us, then nothing of us."""
        self.control.close()
        try:
            self.zygote.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.zygote.kill()
            self.zygote.wait()
        if left := descendants(os.getpid()):
            kill_tree(left)
        if self.groups is not None:
            self.groups.close()  # where we have killed the zygote too, it could not
        self.dealer.close(linger=0 if self.left is None else GRACE)


def _limited(effect: Give) -> bool:
    return any(memory_limit(wire) is not None for wire in effect.tasks)


def _groups() -> Groups | None:
    """Control groups for the workers, where there can be some and they are wanted."""
    return None if os.environ.get("LAMINA_CGROUPS") == "off" else Groups.find()


def _binder(config: dict[str, Any]) -> ResourceBinder:
    """What shares out this node; its class may stand where the program's modules are."""
    if "binder" not in config:
        return NodeBinder()
    sys.path += [entry for entry in config["sys_path"] if entry not in sys.path]
    binder: ResourceBinder = make_plugin(config["binder"])
    return binder


def _program(config: dict[str, Any]) -> int | None:
    """Watch the program, where that can be done from here."""
    if "program" not in config:
        return None
    try:
        return watch(Identity(*config["program"]))
    except ProcessLookupError:
        raise _Told(ENDED) from None


def _hear_signals() -> int:
    """Make SIGTERM something to read from this descriptor."""
    inner, outer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(outer, warn_on_full_buffer=False)
    return inner


def run(arguments: list[str]) -> int:
    """Run a manager on this node until it is told to leave, or its lease ends."""
    become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        shell = _Shell(Path(arguments[0]))
        try:
            reason, in_order = shell.run(), shell.in_order
        finally:
            shell.close()
    except _Told as told:
        reason, in_order = told.reason, True
    except ConfigError as error:  # the binder's options do not suit this node
        reason, in_order = str(error), False
    sys.stderr.write(f"the manager leaves: {reason}\n")
    return 0 if in_order else 1
