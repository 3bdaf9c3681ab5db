import os
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from lamina.codec import Shared, gathering, load_error
from lamina.codec_cloudpickle import CloudpickleCodec
from lamina.htex_worker import (
    DRY,
    NEED,
    OUTCOME,
    UNFIT,
    UP,
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
from lamina.htex_worker.pipe import Report, up_record
from lamina.htex_worker.worker import FUNCTIONS_LIMIT, serve
from lamina.vocabulary import SerializationError

CODEC = CloudpickleCodec()
VALUE, RAISED, UNSENT = 0, 1, 3


class _Manager:
    """The other end of a worker that serves in a thread of this process."""

    def __init__(self) -> None:
        self.link, theirs = socket.socketpair()
        self.link.settimeout(5.0)
        self.claims = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_NONBLOCK)
        self._records = Records()
        self._said: list[tuple[int, bytes]] = []
        self.thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        self.thread.start()
        kind, body = self.hear()
        assert (kind, read_up(memoryview(body))) == (UP, os.getpid())

    def _serve(self, link: socket.socket) -> None:
        try:
            serve(link, self.claims, CODEC)
        except SystemExit:
            pass
        finally:
            link.close()

    def hear(self) -> tuple[int, bytes]:
        while not self._said:
            self._said += [(kind, bytes(body)) for kind, body in self._feed()]
        return self._said.pop(0)

    def _feed(self) -> Iterator[tuple[int, memoryview]]:
        return self._records.feed(self.link.recv(2**16))

    def outcome(self) -> Report:
        kind, body = self.hear()
        assert kind == OUTCOME
        return read_outcome(memoryview(body))

    def give(
        self, function: Callable[..., Any], *args: Any, form: bool = True, **options: Any
    ) -> bytes | None:
        call = CODEC.dump_call(function, args, {})
        digest = None if call.function is None else call.function.digest
        if call.function is not None and form:
            self.link.sendall(b"".join(form_record(call.function.digest, call.function.form)))
        os.eventfd_write(self.claims, 1)
        self.link.sendall(
            b"".join(task_record(1, digest, [bytes(b) for b in call.buffers], options))
        )
        return digest

    def wait_until_read(self) -> None:
        """Wait until the worker has taken all that was sent out of the socket."""
        end = time.monotonic() + 5.0
        while struct.unpack("i", ioctl(self.link, termios.TIOCOUTQ, bytes(4))) != (0,):
            assert time.monotonic() < end

    def close(self) -> None:
        self.link.close()
        self.thread.join(5.0)
        os.close(self.claims)


@pytest.fixture
def manager() -> Iterator[_Manager]:
    made = _Manager()
    yield made
    made.close()
    assert not made.thread.is_alive(), "a worker leaves when its socket closes"


def test_the_value_of_a_call_comes_back(manager: _Manager) -> None:
    manager.give(abs, -3)
    report = manager.outcome()
    assert (report.attempt, report.code, CODEC.load(report.buffers)) == (1, VALUE, 3)
    assert report.began <= report.ended


def test_an_exception_comes_back_and_so_does_an_exit(manager: _Manager) -> None:
    def leave() -> None:
        raise SystemExit(3)

    manager.give(divmod, 1, 0)
    report = manager.outcome()
    assert report.code == RAISED
    assert isinstance(load_error(bytes(report.buffers[0])), ZeroDivisionError)
    manager.give(leave)
    assert manager.outcome().code == RAISED


def test_a_result_that_cannot_be_pickled_is_a_typed_error(manager: _Manager) -> None:
    manager.give(threading.Lock)
    report = manager.outcome()
    assert report.code == UNSENT
    assert isinstance(load_error(bytes(report.buffers[0])), SerializationError)


def test_a_call_that_cannot_be_unpickled_is_a_typed_error(manager: _Manager) -> None:
    os.eventfd_write(manager.claims, 1)
    manager.link.sendall(b"".join(task_record(1, None, [b"nonsense"], None)))
    assert manager.outcome().code == UNSENT


def test_a_task_whose_claim_was_taken_back_does_not_run(manager: _Manager) -> None:
    call = CODEC.dump_call(abs, (-3,), {})
    stale = b"".join(task_record(1, None, [bytes(b) for b in call.buffers], None))
    # One that it has read by itself, and one that it reads together with the mark.
    manager.link.sendall(stale)
    manager.wait_until_read()
    manager.link.sendall(stale + mark_record())
    assert manager.hear()[0] == DRY
    manager.give(abs, -4)
    assert CODEC.load(manager.outcome().buffers) == 4


def test_a_function_by_value_is_asked_for_when_it_is_not_there(manager: _Manager) -> None:
    def triple(number: int) -> int:
        return 3 * number

    digest = manager.give(triple, 2, form=False)
    kind, body = manager.hear()
    assert (kind, read_need(memoryview(body))) == (NEED, digest)
    function = CODEC.dump_call(triple, (2,), {}).function
    assert function is not None
    manager.link.sendall(b"".join(form_record(function.digest, function.form)))
    assert CODEC.load(manager.outcome().buffers) == 6


def test_a_function_that_cannot_be_unpickled_fails_its_task(manager: _Manager) -> None:
    manager.link.sendall(b"".join(form_record(b"f" * 16, b"nonsense")))
    call = CODEC.dump_call(abs, (-3,), {})
    os.eventfd_write(manager.claims, 1)
    manager.link.sendall(
        b"".join(task_record(1, b"f" * 16, [bytes(b) for b in call.buffers], None))
    )
    assert manager.outcome().code == UNSENT


@pytest.mark.parametrize("before", [None, "before"])
def test_the_environment_of_a_task_is_its_own(
    manager: _Manager, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is not None:
        monkeypatch.setenv("LAMINA_OF_A_TASK", before)
    manager.give(os.getenv, "LAMINA_OF_A_TASK", env={"LAMINA_OF_A_TASK": "here"})
    assert CODEC.load(manager.outcome().buffers) == "here"
    assert os.environ.get("LAMINA_OF_A_TASK") == before


def test_a_payload_goes_to_its_runner_as_it_is(manager: _Manager) -> None:
    os.eventfd_write(manager.claims, 1)
    options = {"runner": "binascii:hexlify"}
    manager.link.sendall(b"".join(task_record(1, None, [b"\x01\x02"], options)))
    assert CODEC.load(manager.outcome().buffers) == b"0102"


def test_a_task_that_spoils_the_output_still_has_its_outcome(
    manager: _Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # so that it is put back
    manager.give(setattr, sys, "stdout", None)
    assert manager.outcome().code == VALUE
    assert sys.stdout is None


def test_a_function_that_is_sent_again_is_the_one_that_is_there(manager: _Manager) -> None:
    def count(made: list[int] = []) -> int:  # noqa: B006  # it lives as long as the function
        made.append(1)
        return len(made)

    for calls in (1, 2):
        manager.give(count)
        assert CODEC.load(manager.outcome().buffers) == calls


def test_only_so_many_bytes_of_functions_are_kept(manager: _Manager) -> None:
    manager.link.settimeout(30.0)
    half = bytes(FUNCTIONS_LIMIT // 2 + 1)
    for digest in (b"f" * 16, b"g" * 16):
        for part in form_record(digest, half):
            manager.link.sendall(part)
    os.eventfd_write(manager.claims, 1)
    call = CODEC.dump_call(abs, (-3,), {})
    parts = task_record(1, b"f" * 16, [bytes(b) for b in call.buffers], None)
    manager.link.sendall(b"".join(parts))
    kind, body = manager.hear()
    assert (kind, read_need(memoryview(body))) == (NEED, b"f" * 16)


def test_an_answer_that_nobody_has_asked_for_is_passed_over(manager: _Manager) -> None:
    manager.link.sendall(absent_record(b"f" * 16))
    manager.give(abs, -3)
    assert CODEC.load(manager.outcome().buffers) == 3


def test_a_worker_leaves_when_its_manager_dies_in_the_middle_of_a_task(manager: _Manager) -> None:
    call = CODEC.dump_call(len, (bytes(2**20),), {})
    whole = b"".join(task_record(1, None, [bytes(b) for b in call.buffers], None))
    manager.link.sendall(whole[: len(whole) // 2])
    manager.wait_until_read()
    manager.link.close()
    manager.thread.join(5.0)
    assert not manager.thread.is_alive()


def test_a_worker_leaves_when_nobody_takes_its_outcome(manager: _Manager, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    manager.give(fifo.read_text)
    with open(fifo, "w"):  # opens once the task reads
        manager.link.close()
    manager.thread.join(5.0)
    assert not manager.thread.is_alive()


def test_the_cores_of_a_task_are_its_own_while_it_runs(manager: _Manager) -> None:
    every = os.sched_getaffinity(0)
    one = min(every)
    for cpus, seen in (([one], {one}), (None, every)):
        manager.give(os.sched_getaffinity, 0, **({} if cpus is None else {"cpus": cpus}))
        assert CODEC.load(manager.outcome().buffers) == seen


class _SaysWhatItSees:
    """Unpickled, it is what its process sees at that moment: as a library at its import."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _seen, ()


def _seen() -> tuple[str | None, set[int]]:
    return os.environ.get("LAMINA_OF_A_TASK"), os.sched_getaffinity(0)


def test_a_call_is_unpickled_in_the_environment_and_on_the_cores_of_its_task(
    manager: _Manager,
) -> None:
    one = min(os.sched_getaffinity(0))
    manager.give(_given, _SaysWhatItSees(), env={"LAMINA_OF_A_TASK": "here"}, cpus=[one])
    assert CODEC.load(manager.outcome().buffers) == ("here", {one})


def test_so_is_a_function_by_value(manager: _Manager) -> None:
    seen = _SaysWhatItSees()

    def see() -> object:
        return seen

    one = min(os.sched_getaffinity(0))
    manager.give(see, env={"LAMINA_OF_A_TASK": "here"}, cpus=[one])
    assert CODEC.load(manager.outcome().buffers) == ("here", {one})


def _given(value: object) -> object:
    return value


class _Prepared(_Manager):
    """A worker that is to run an initializer first."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._first = CODEC.dump_call(function, args, {})
        super().__init__()

    def _serve(self, link: socket.socket) -> None:
        try:
            serve(link, self.claims, CODEC, has_initializer=True)
        except SystemExit:
            pass
        finally:
            link.close()

    def hear(self) -> tuple[int, bytes]:
        if self._first is not None:
            call, self._first = self._first, None
            digest = None if call.function is None else call.function.digest
            if call.function is not None:
                self.link.sendall(b"".join(form_record(call.function.digest, call.function.form)))
            self.link.sendall(b"".join(initializer_record(digest, call.buffers)))
        return super().hear()


PREPARED: list[str] = []


def test_a_worker_is_up_once_its_initializer_has_run() -> None:
    manager = _Prepared(PREPARED.append, "here")
    try:
        manager.give(len, [1, 2])
        assert CODEC.load(manager.outcome().buffers) == 2
    finally:
        manager.close()


@pytest.mark.parametrize("trouble", [ValueError("not here"), SystemExit(3)])
def test_a_worker_whose_initializer_fails_says_why_and_ends(trouble: BaseException) -> None:
    def fail() -> None:
        raise trouble

    heard: list[tuple[int, bytes]] = []

    class Unfit(_Prepared):
        def hear(self) -> tuple[int, bytes]:
            heard.append(super().hear())
            return UP, up_record(os.getpid())[9:]  # what the constructor waits for

    manager = Unfit(fail)
    manager.thread.join(5.0)
    assert not manager.thread.is_alive()
    manager.close()
    ((kind, body),) = heard
    assert kind == UNFIT
    said = read_unfit(memoryview(body))
    assert said.startswith(f"{type(trouble).__name__}: {trouble}")
    assert "Traceback" in said


def _shared(manager: _Manager, handle: "Shared[Any]") -> tuple[int, bytes]:
    """Give a task that is given a shared object; what the worker asks for."""
    with gathering():
        manager.give(len, handle)
    return manager.hear()


def test_a_shared_object_is_asked_for_once_and_kept_until_nobody_needs_it(
    manager: _Manager,
) -> None:
    handle = Shared(bytes(100_000), CODEC.dump)
    with gathering() as found:
        CODEC.dump(handle)
    data = found[handle.digest].data
    for _ in range(2):
        assert _shared(manager, handle) == (NEED, handle.digest)
        manager.link.sendall(b"".join(form_record(handle.digest, data)))
        assert CODEC.load(manager.outcome().buffers) == 100_000
        with gathering():
            manager.give(len, handle)
        assert CODEC.load(manager.outcome().buffers) == 100_000
        manager.link.sendall(drop_record(handle.digest))


@pytest.mark.parametrize("answer", ["absent", "wrong"])
def test_a_shared_object_that_is_gone_or_another_fails_the_task(
    manager: _Manager, answer: str
) -> None:
    handle = Shared([1, 2], CODEC.dump)
    _shared(manager, handle)
    if answer == "absent":
        manager.link.sendall(absent_record(handle.digest))
    else:
        manager.link.sendall(b"".join(form_record(handle.digest, b"nonsense")))
    report = manager.outcome()
    assert report.code == UNSENT
    error = load_error(bytes(report.buffers[0]))
    assert isinstance(error, SerializationError)
    assert f"shared object {handle.digest.hex()[:12]}" in str(error)
    manager.give(abs, -3)
    assert CODEC.load(manager.outcome().buffers) == 3


def test_a_function_that_nobody_has_fails_its_task(manager: _Manager) -> None:
    digest = manager.give(lambda: 3, form=False)
    assert digest is not None
    assert manager.hear() == (NEED, digest)
    manager.link.sendall(absent_record(digest))
    assert manager.outcome().code == UNSENT


def test_how_long_a_task_took_does_not_hang_on_a_clock_that_is_set_meanwhile(
    manager: _Manager,
) -> None:
    def set_back() -> None:
        time.time = lambda: 0.0  # type: ignore[assignment]

    real = time.time
    try:
        manager.give(set_back)
        report = manager.outcome()
    finally:
        time.time = real
    assert 0.0 <= report.ended - report.began < 5.0
