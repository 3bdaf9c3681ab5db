"""What strangers, and peers that talk nonsense, can do to real processes of htex: nothing."""

import json
import logging
import os
import pickle
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import zmq

from lamina.codec import PickleCodec
from lamina.executors import Site
from lamina.executors_htex import HighThroughputExecutor
from lamina.htex_core import CONFIG, PROTOCOL, READY, Frame, Large, MalformedFrame, pack, unpack
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    DRAINED,
    DRAINING,
    DROP,
    FENCE,
    FORMS,
    GOODBYE,
    HEARTBEAT,
    HOLD,
    JOINED,
    LARGE,
    LEFT,
    LOAD,
    LOST,
    NEED,
    REFUSE,
    REGISTER,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNFIT,
    WELCOME,
    YIELD,
)
from lamina.htex_core.shapes import Sender
from lamina.htex_interchange import run as run_interchange
from lamina.htex_interchange.process import ClientLink
from lamina.htex_wire import Dealer, Keys, Router, make_keys, read_keys
from lamina.htex_wire.endpoints import parse
from lamina.htex_worker_pool import run as run_manager
from lamina.processes import descendants
from lamina.providers import LocalProvider
from lamina.vocabulary import ExecutorLost, WorkerLost

INTERCHANGE = run_interchange.__module__.rpartition(".")[0]
MANAGER = run_manager.__module__.rpartition(".")[0]
CODEC = f"{PickleCodec.__module__}:{PickleCodec.__name__}"
PATIENCE = 30.0  # seconds
FRAMES = 100_000  # against each socket
PACE = 2000  # frames that may wait unread
GROWTH = 16 * 1024  # KiB that a process may grow under them; some are registrations in order
SEED = 20_231

DIGEST = bytes(range(16))
FACTS = {"cause": "worker_lost", "reason": "it died", "started": "yes", "worker": "1"}
OUTCOMES = [[7, 0, [b"value"], 1.0, 2.0, None], [8, 2, [], 1.0, 2.0, FACTS]]


def _info(uid: str = "u") -> list[Any]:
    return [uid, "0", "elsewhere", "another boot", 7, 2, "3.11", "htex-1"]


def _registration(uid: str = "u") -> dict[str, Any]:
    return {
        "protocol": PROTOCOL, "registration": 1, "info": _info(uid), "capacity": 2,
        "held": [], "finished": [],
    }  # fmt: skip


BY_MANAGERS = [
    pack(REGISTER, 0, _registration()),
    pack(RESULTS, 1, [1, 2, OUTCOMES]),
    pack(STARTED, 1, [[7, 1.5]]),
    pack(NEED, 1, [DIGEST]),
    pack(RETURNED, 1, [7]),
    pack(HEARTBEAT, 1, 1.5),
    pack(GOODBYE, 1, ["leaving", [7]]),
    pack(UNFIT, 1, "no licence"),
    pack(DRAINING, 1, "its time is over"),
    pack(DRAINED, 1, "its time is over"),
    pack(REGISTER, 0, {**_registration(), "offer": {"cores": 4.0}, "block_end": [60.0, 6.0]}),
    pack(RESULTS, 1, [1, 2, [[7, 0, [Large(bytes(LARGE))], 1.0, 2.0, None]]]),
]
BY_CLIENTS = [
    pack(TASKS, 1, [[7, DIGEST, [b"call"], {"walltime": 1.5, "env": {"A": "b"}}]]),
    pack(FORMS, 1, [[DIGEST, b"form"]]),
    pack(CANCEL, 1, [7]),
    pack(ACK, 1, [["u", 1]]),
    pack(ADMIT, 1, ["u"]),
    pack(FENCE, 1, ["v"]),
    pack(DRAIN, 1, ["u"]),
    pack(HOLD, 1, ["0"]),
    pack(DROP, 1, [DIGEST]),
    pack(TASKS, 1, [[7, None, [Large(bytes(LARGE))], {"resources": {"cores": 1}, "avoid": ["n"]}]]),
]
BY_INTERCHANGES = [
    pack(WELCOME, 1, None),
    pack(TASKS, 1, [[7, DIGEST, [b"call"], None]]),
    pack(FORMS, 1, [[DIGEST, b"form"]]),
    pack(ACK, 1, 3),
    pack(HEARTBEAT, 1, 1.5),
    pack(CANCEL, 1, [7]),
    pack(DROP, 1, [DIGEST]),
    pack(YIELD, 1, 3),
    pack(DRAIN, 1, "it was asked to"),
    pack(FORMS, 1, [[DIGEST, Large(bytes(LARGE)), True]]),
    pack(STOP, 1, "done"),
    pack(REFUSE, 1, "too late"),
]
TO_CLIENTS = [
    pack(READY, 1, {"address": "tcp://127.0.0.1:1"}),
    pack(CREDIT, 1, 18),
    pack(JOINED, 1, [_info(), [7], [8]]),
    pack(LOST, 1, ["u", [7], "it was silent", "node_lost"]),
    pack(LOAD, 1, [["u", 1, False]]),
    pack(LEFT, 1, ["u", "it was asked to"]),
    pack(RESULTS, 1, ["u", 1, OUTCOMES]),
    pack(RESULTS, 1, ["u", 1, [[7, 0, [Large(bytes(LARGE))], 1.0, 2.0, None]]]),
    pack(STARTED, 1, ["u", [[7, 1.5]]]),
    pack(NEED, 1, [DIGEST]),
    pack(RETURNED, 1, [7]),
    pack(UNFIT, 1, ["u", "no licence"]),
]


def _mutants(seeds: list[bytes], count: int) -> Iterator[bytes]:
    """Random frames, and frames of ours with a few bytes changed, cut, doubled or swapped."""
    chance = random.Random(SEED)
    small = [seed for seed in seeds if len(seed) < LARGE]
    for _ in range(count):
        # Those with large buffers are few, for they are slow.
        frame = bytearray(chance.choice(small if chance.random() < 0.99 else seeds))
        match chance.randrange(8):
            case 0:
                yield chance.randbytes(chance.randrange(64))
                continue
            case 1:
                del frame[chance.randrange(len(frame)) :]
            case 2:
                at = chance.randrange(min(64, len(frame)))
                frame[at:at] = frame[chance.randrange(len(frame)) :]
            case 3:
                other = chance.choice(seeds)
                frame[3:] = other[3:]  # the body of another kind
            case 4:
                at = chance.randrange(len(frame))
                frame[at:at] = b"\xdd\xff\xff\xff\xff" * chance.randrange(1, 4)
            case _:
                for _ in range(chance.randrange(1, 4)):
                    frame[chance.randrange(min(512, len(frame)))] = chance.randrange(256)
        yield bytes(frame)


def _is_nonsense(frame: bytes, sender: Sender) -> bool:
    """Whether it is no frame, so that a hop that hears it should go on as if it had not."""
    try:
        unpack(frame, sender)
    except MalformedFrame:
        return True
    return False


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def _until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)
    return found


class _Interchange:
    """A real interchange, with this test as its client."""

    def __init__(self, folder: Path) -> None:
        self.keys = folder / "keys"
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", INTERCHANGE, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
        )
        theirs.close()
        self.link = ClientLink(ours)
        self.heard: list[Frame] = []
        self._changed = threading.Condition()
        config = {
            "bind": "tcp://127.0.0.1:*", "encrypted": True, "keys": str(self.keys), "epoch": 1,
            "python": "3.11", "package": "htex-1", "heartbeat_period": 30.0,
            "heartbeat_threshold": 120.0, "socket_dir": None,
        }  # fmt: skip
        self.say(pack(CONFIG, 1, config))
        # It may have more to say than a socket holds, and waits until somebody listens.
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        self.address: str = self.hear(lambda frame: frame.kind == READY).body["address"]
        self.port = parse(self.address).ports.start

    def say(self, frame: bytes) -> None:
        self.link.send([frame])
        assert self.link.flush()

    def _listen(self) -> None:
        while (frames := self.link.receive()) is not None:
            with self._changed:
                # Only these are waited for; to keep all would be growth of ours.
                self.heard += [
                    frame for frame in map(unpack, frames) if frame.kind in (READY, JOINED)
                ]
                self._changed.notify_all()

    def hear(self, wanted: Callable[[Frame], bool]) -> Frame:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.heard)), PATIENCE)
            return next(filter(wanted, self.heard))

    def has_joined(self, uid: str) -> bool:
        with self._changed:
            return any(f.kind == JOINED and f.body[0][0] == uid for f in self.heard)

    def lets_in(self, uid: str, keys: Keys | None = None) -> None:
        """It is as ready for a manager as it ever was."""
        with closing(Dealer(self.address, keys or read_keys(self.keys, "manager"))) as dealer:
            dealer.send(pack(REGISTER, 0, _registration(uid)))
            self.hear(lambda frame: frame.kind == JOINED and frame.body[0][0] == uid)

    def close(self) -> None:
        self.link.link.shutdown(socket.SHUT_RDWR)
        try:
            status = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self._listener.join()
            self.link.link.close()
        assert status == 0, "the interchange did not leave in order"


@pytest.fixture
def interchange(tmp_path: Path) -> Iterator[_Interchange]:
    with closing(_Interchange(tmp_path)) as made:
        yield made


class _Trap:
    """Whoever unpickles it writes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


# Strangers.


def _greeting(mechanism: bytes) -> bytes:
    return b"\xff" + bytes(8) + b"\x7f\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


@pytest.mark.parametrize("mechanism", [None, b"NULL", b"PLAIN", b"CURVE"])
def test_a_raw_tcp_client_is_refused_whatever_it_says(
    interchange: _Interchange, mechanism: bytes | None
) -> None:
    """A quarter of the frames each: nonsense at once, or after a greeting that is in order."""
    each = 50
    greeting = b"" if mechanism is None else _greeting(mechanism)
    frames = _mutants(BY_MANAGERS, FRAMES // 4)
    interchange.lets_in("before")
    before = _resident(interchange.process.pid)
    for _ in range(FRAMES // 4 // each):
        said = [next(frames) for _ in range(each)]
        stream = b"".join(b"\x04" + bytes([len(one) % 256]) + one for one in said)
        with socket.create_connection(("127.0.0.1", interchange.port), PATIENCE) as stranger:
            try:
                stranger.sendall(greeting + stream)
            except OSError:
                pass  # it has hung up already
    interchange.lets_in("after")
    assert _resident(interchange.process.pid) - before < GROWTH
    assert not interchange.has_joined("u")


@pytest.mark.parametrize("who", ["without keys", "keys of its own", "another interchange in mind"])
def test_a_client_without_the_keys_of_the_run_is_refused(
    interchange: _Interchange, tmp_path: Path, who: str
) -> None:
    mine = read_keys(interchange.keys, "manager")
    public, secret = zmq.curve_keypair()
    keys = {
        "without keys": None,
        "keys of its own": Keys(public, secret, mine.other),
        "another interchange in mind": Keys(mine.public, mine.secret, public),
    }[who]
    trap = tmp_path / "unpickled"
    poison = pickle.dumps(_Trap(str(trap)))
    with closing(Dealer(interchange.address, keys)) as stranger:
        stranger.send(pack(REGISTER, 0, _registration("stranger")))
        stranger.send(poison)
        stranger.send(pack(RESULTS, 1, [1, 2, [[7, 0, [poison], 1.0, 2.0, None]]]))
        assert not stranger.shakes_hands(0.5)
    interchange.lets_in("after")
    assert not interchange.has_joined("stranger")
    assert not trap.exists()


def test_a_session_that_was_recorded_cannot_be_replayed(interchange: _Interchange) -> None:
    """Each connection has keys of its own, so what was said in one means nothing in another."""
    recorded = bytearray()
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        dealer = stack.enter_context(
            closing(Dealer(address, read_keys(interchange.keys, "manager")))
        )
        near = stack.enter_context(server.accept()[0])
        far = stack.enter_context(
            socket.create_connection(("127.0.0.1", interchange.port), PATIENCE)
        )
        back = threading.Thread(target=_pass_on, args=(far, near, bytearray()))
        forth = threading.Thread(target=_pass_on, args=(near, far, recorded))
        back.start()
        forth.start()
        dealer.send(pack(REGISTER, 0, _registration("recorded")))
        interchange.hear(lambda frame: frame.kind == JOINED)
        near.shutdown(socket.SHUT_RDWR)
        far.shutdown(socket.SHUT_RDWR)
        back.join(PATIENCE)
        forth.join(PATIENCE)
    assert len(recorded) > 400  # a greeting, HELLO, INITIATE and a message
    joined = sum(frame.kind == JOINED for frame in interchange.heard)
    with socket.create_connection(("127.0.0.1", interchange.port), PATIENCE) as replay:
        replay.sendall(recorded)
        while replay.recv(2**16):
            pass  # until it hangs up
    interchange.lets_in("after")
    assert sum(frame.kind == JOINED for frame in interchange.heard) == joined + 1


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(2**16):
            kept += data
            target.sendall(data)
    except OSError:
        pass  # the test is over


# Peers that hold the keys and talk nonsense.


def _joined(uid: str, frame: Frame) -> bool:
    return bool(frame.kind == JOINED and frame.body[0][0] == uid)


def test_nonsense_of_a_manager_costs_the_interchange_nothing(
    interchange: _Interchange, tmp_path: Path
) -> None:
    trap = tmp_path / "unpickled"
    seeds = [*BY_MANAGERS, pickle.dumps(_Trap(str(trap)))]
    interchange.lets_in("before")
    before = _resident(interchange.process.pid)
    with closing(Dealer(interchange.address, read_keys(interchange.keys, "manager"))) as dealer:
        assert dealer.shakes_hands(PATIENCE)
        for number, frame in enumerate(_mutants(seeds, FRAMES), 1):
            dealer.send(frame)
            if number % PACE == 0:
                # What comes behind all of that is heard, so that has been; and no more than so
                # many frames have ever waited, which would be memory as well.
                behind = f"behind {number}"
                dealer.send(pack(REGISTER, 0, _registration(behind)))
                interchange.hear(partial(_joined, behind))
                dealer.receive()
    interchange.lets_in("after")
    assert _resident(interchange.process.pid) - before < GROWTH
    assert not trap.exists()


def test_nonsense_of_the_client_is_dropped(interchange: _Interchange) -> None:
    interchange.lets_in("before")
    before = _resident(interchange.process.pid)
    for frame in _mutants(BY_CLIENTS, FRAMES):
        if _is_nonsense(frame, "client"):
            interchange.say(frame)
    interchange.lets_in("after")
    assert _resident(interchange.process.pid) - before < GROWTH


def test_nonsense_of_the_interchange_is_dropped_by_a_manager(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_keys(keys)
    trap = tmp_path / "unpickled"
    seeds = [*BY_INTERCHANGES, pickle.dumps(_Trap(str(trap)))]
    with closing(Router("tcp://127.0.0.1:*", read_keys(keys, "interchange"))) as router:
        with _manager(tmp_path, router.address, keys) as process:
            route, registered = _hear(router, REGISTER)
            assert registered.body["info"][4] == process.pid
            router.send(route, pack(WELCOME, 1, None))
            _hear(router, HEARTBEAT)
            before = _resident(process.pid)
            for number, frame in enumerate(_mutants(seeds, FRAMES)):
                if _is_nonsense(frame, "interchange"):
                    router.send(route, frame)
                if number % 5000 == 4999:
                    # A function that it does not have, for which it must ask: all that was said
                    # before has been heard, and does not gather in a queue.
                    digest = number.to_bytes(16, "big")
                    router.send(route, pack(TASKS, 1, [[number, digest, [b""], None]]))
                    while digest not in _hear(router, NEED)[1].body:
                        pass
            assert _resident(process.pid) - before < GROWTH
    assert not trap.exists()


def test_nonsense_of_the_interchange_is_dropped_by_the_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes by the way by which all of its frames come, between those that are in order."""
    executor = HighThroughputExecutor(max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path))
    trap = tmp_path / "unpickled"
    seeds = [*TO_CLIENTS, pickle.dumps(_Trap(str(trap)))]
    try:
        assert executor.submit(abs, -3).result(PATIENCE) == 3
        engine = executor._engine
        assert engine is not None
        (before,) = executor.connected_managers()
        resident = _resident(os.getpid())
        waiting = [executor.submit(time.sleep, 0.5) for _ in range(3)]
        dropped = 0
        with caplog.at_level(logging.CRITICAL):
            for frame in _mutants(seeds, FRAMES // 4):
                if _is_nonsense(frame, "interchange"):
                    dropped += 1
                    with engine._lock:
                        engine._take_in([frame], time.monotonic())
        assert dropped > FRAMES // 16
        assert [future.result(PATIENCE) for future in waiting] == [None] * 3
        assert executor.connected_managers() == [before]
        assert executor.outstanding() == 0
        assert _resident(os.getpid()) - resident < GROWTH
        with engine._lock:
            engine._take_in([b"nonsense"], time.monotonic())
        assert "dropped a frame" in caplog.text
    finally:
        executor.close(timeout=PATIENCE)
    assert not trap.exists()


def _manager(folder: Path, address: str, keys: Path) -> "subprocess.Popen[bytes]":
    config = {
        "addresses": [address], "block": "0", "codec": CODEC, "encrypted": True,
        "heartbeat_period": 0.1, "heartbeat_threshold": 120.0, "keys": str(keys),
        "package": "htex-1", "sys_path": [], "workers": 1,
    }  # fmt: skip
    path = folder / "manager.json"
    path.write_text(json.dumps(config), encoding="utf-8")

    class Killed(subprocess.Popen[bytes]):
        def __exit__(self, *error: Any) -> None:
            self.kill()
            super().__exit__(*error)

    return Killed([sys.executable, "-m", MANAGER, str(path)])


def _hear(router: Router, kind: int) -> tuple[bytes, Frame]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if -1 in router.wait(0.1):
            for route, parts in router.receive():
                frame = unpack(parts, "manager")
                if frame.kind == kind:
                    return route, frame
    raise TimeoutError(f"no frame of kind {kind}")


def _write_to_every_socket(seed: int) -> None:
    """What a task may do that has closed, or mistaken, a descriptor: each gets some nonsense."""
    chance = random.Random(seed)
    for number in range(3, 256):
        try:
            with socket.socket(fileno=os.dup(number)) as found:
                if found.type == socket.SOCK_STREAM:
                    found.sendall(chance.randbytes(chance.randrange(5, 4096)))
        except OSError:
            continue
    time.sleep(60)  # to be killed for it, not to end before


def test_nonsense_of_a_worker_kills_that_worker_and_harms_nobody_else(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=2)
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.submit(abs, -3).result(PATIENCE) == 3
        (before,) = executor.connected_managers()
        for seed in range(8):
            other = executor.submit(time.sleep, 0.05)
            error = executor.submit(_write_to_every_socket, seed).exception(PATIENCE)
            assert isinstance(error, WorkerLost), error
            assert "wrote to the worker's own socket" in str(error)
            assert other.result(PATIENCE) is None
        assert executor.connected_managers() == [before]
        assert executor.submit(abs, -3).result(PATIENCE) == 3
    finally:
        executor.close(timeout=PATIENCE)


# Secrets.


def test_keys_are_where_the_user_alone_can_see_them(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(max_workers_per_node=1, address="127.0.0.1")
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.submit(abs, -3).result(PATIENCE) == 3
        keys = tmp_path / executor.label / "keys"
        secrets = [(keys / side).read_bytes() for side in ("interchange", "manager")]
        assert keys.stat().st_mode & 0o777 == 0o700
        ours = descendants(os.getpid())
        assert len(ours) >= 4  # interchange, manager, zygote, worker
        for pid in ours:
            for what in ("cmdline", "environ"):
                seen = Path(f"/proc/{pid}/{what}").read_bytes()
                assert not any(secret in seen for secret in secrets)
    finally:
        executor.close(timeout=PATIENCE)
    others = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != keys]
    assert any(path.name.startswith("lamina.") for path in others), "no batch script was read"
    for path in others:
        assert not any(secret in path.read_bytes() for secret in secrets), path
    for path in keys.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


# Finding the interchange.


@attrs.frozen(kw_only=True)
class _Elsewhere(LocalProvider):
    """Blocks of which nobody says that they are on this host."""

    @property
    def blocks_are_local(self) -> bool:
        return False


def test_managers_elsewhere_find_the_interchange_by_the_addresses_of_this_host(
    tmp_path: Path,
) -> None:
    executor = HighThroughputExecutor(provider=_Elsewhere(), max_workers_per_node=1)
    executor.start(Site(run_dir=tmp_path))
    try:
        assert executor.submit(abs, -3).result(PATIENCE) == 3
        config = json.loads((tmp_path / executor.label / "manager.json").read_text())
        (name,) = config["addresses"]
        assert socket.gethostname() in parse(name).hosts
    finally:
        executor.close(timeout=PATIENCE)


def test_where_no_manager_ever_connects_the_error_says_what_was_tried(tmp_path: Path) -> None:
    executor = HighThroughputExecutor(
        provider=_Elsewhere(worker_init="echo no licence >&2"),
        max_workers_per_node=1,
        address="no-such-host.invalid",
        address_probe_timeout=0.2,
    )
    executor.start(Site(run_dir=tmp_path))
    try:
        error = executor.submit(abs, -3).exception(PATIENCE)
    finally:
        executor.close(timeout=PATIENCE)
    assert isinstance(error, ExecutorLost)
    said = str(error)
    assert "cannot reach the interchange within" in said
    assert "tcp://no-such-host.invalid:" in said
    assert "Errno" in said  # the outcome
    assert "no licence" in said  # the block's own last lines
