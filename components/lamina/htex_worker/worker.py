"""The worker: takes tasks from its socket, claims each, runs it, says what became of it.

It is single-threaded unless the user's code is not. The claim is one unit taken from an
eventfd that the manager holds as well: what the manager finds left in it, when this process is
dead or slow, has certainly not started.
"""

import os
import socket
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lamina.codec import Buffer, Codec, dump_error
from lamina.htex_worker.pipe import (
    DRY,
    FORM,
    MARK,
    TASK,
    Assignment,
    Records,
    Report,
    need_record,
    outcome_record,
    read_form,
    read_task,
    record,
    up_record,
)
from lamina.vocabulary import SerializationError

__all__ = ["serve"]

FUNCTIONS_LIMIT = 64 * 2**20  # bytes of functions by value that are kept
READ_SIZE = 2**16  # bytes; more than a bundle of small tasks

# As lamina.htex_core.frames has them; this process does without that brick.
_VALUE, _RAISED, _UNSENT = 0, 1, 3


class _Worker:
    def __init__(self, link: socket.socket, claims: int, codec: Codec) -> None:
        self._link, self._claims, self._codec = link, claims, codec
        self._records = Records()
        self._held: deque[Assignment] = deque()
        self._functions: OrderedDict[bytes, tuple[Callable[..., Any], int]] = OrderedDict()
        self._size = 0

    def run(self) -> None:
        self._link.sendall(up_record(os.getpid()))
        while True:
            while self._held:
                if not self._claim():
                    # Taken back, with whatever else was sent before the mark that will say so.
                    self._held.clear()
                    break
                task = self._held.popleft()
                for part in outcome_record(self._do(task)):
                    self._link.sendall(part)
            self._read()

    def _claim(self) -> bool:
        """Take one claim; False when the manager has taken ours back."""
        try:
            os.eventfd_read(self._claims)
        except BlockingIOError:
            return False
        return True

    def _read(self) -> None:
        for kind, body in self._words():
            if kind == TASK:
                self._held.append(read_task(body))
            elif kind == FORM:
                self._keep(*read_form(body))
            elif kind == MARK:
                # Only now has everything been read that is not ours; the manager gives nothing
                # new before this answer, so there was no claim with which to run any of it.
                self._held.clear()
                self._link.sendall(record(DRY))

    def _words(self) -> Iterable[tuple[int, memoryview]]:
        room = self._records.room
        if room is not None:
            count = self._link.recv_into(room)
            if count:
                return self._records.filled(count)
        elif data := self._link.recv(READ_SIZE):
            return self._records.feed(data)
        raise SystemExit(0)  # the manager is gone

    def _keep(self, digest: bytes, form: bytes) -> None:
        try:
            function = self._codec.load_function(form)
        except Exception as error:  # user code: it is the task that has to fail
            function = _failing(error)
        self._functions[digest] = (function, len(form))
        self._size += len(form)
        while self._size > FUNCTIONS_LIMIT and len(self._functions) > 1:
            _, (_, size) = self._functions.popitem(last=False)
            self._size -= size

    def _function(self, digest: bytes) -> Callable[..., Any]:
        while digest not in self._functions:
            self._link.sendall(need_record(digest))
            self._read()
        self._functions.move_to_end(digest)
        return self._functions[digest][0]

    def _do(self, task: Assignment) -> Report:
        codec = self._codec
        function = None if task.digest is None else self._function(task.digest)
        began, since = time.time(), time.monotonic()
        try:
            call, args, kwargs = _load_call(codec, task, function)
            options = task.options
            if options:
                with _variables(options.get("env")), _cores(options.get("cpus")):
                    value = call(*args, **kwargs)
            else:
                value = call(*args, **kwargs)
            code, buffers = _VALUE, _dump(codec, value)
        except _NotSent as error:
            code, buffers = _UNSENT, [dump_error(error.error, codec.dump)]
        except BaseException as error:  # SystemExit too is only this task's end
            code, buffers = _RAISED, [dump_error(error, codec.dump)]
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # a task closed or replaced it
                pass
        # The wall clock may be set meanwhile; how long it took is what the manager reckons with.
        ended = began + time.monotonic() - since
        return Report(task.attempt, code, began, ended, buffers)


class _NotSent(Exception):
    def __init__(self, error: SerializationError) -> None:
        super().__init__(error)
        self.error = error


def _load_call(
    codec: Codec, task: Assignment, function: Callable[..., Any] | None
) -> tuple[Callable[..., Any], Sequence[Any], dict[str, Any]]:
    if task.options.get("runner"):
        return _run_payload, (task.options["runner"], bytes(task.buffers[0])), {}
    try:
        return codec.load_call(task.buffers, function)
    except Exception as error:  # whatever user classes do while they are unpickled
        why = f"the call cannot be unpickled on the worker: {type(error).__name__}: {error}"
        raise _NotSent(SerializationError(why)) from error


def _dump(codec: Codec, value: Any) -> Sequence[Buffer]:
    try:
        return codec.dump(value)
    except Exception as error:  # whatever user classes do while they are pickled
        why = f"the result cannot be pickled: {type(error).__name__}: {error}"
        raise _NotSent(SerializationError(why)) from error


def _failing(error: Exception) -> Callable[..., Any]:
    why = f"the function cannot be unpickled on the worker: {type(error).__name__}: {error}"

    def fail(*args: Any, **kwargs: Any) -> None:
        raise _NotSent(SerializationError(why))

    return fail


def _run_payload(runner: str, data: bytes) -> Any:
    module, _, name = runner.partition(":")
    return getattr(import_module(module), name)(data)


@contextmanager
def _variables(env: Mapping[str, str] | None) -> Iterator[None]:
    """Have these environment variables, for a while."""
    before = {name: os.environ.get(name) for name in env or ()}
    os.environ.update(env or {})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _cores(cpus: Sequence[int] | None) -> Iterator[None]:
    """Run on these cores alone, for a while, as does what is started meanwhile."""
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def serve(link: socket.socket, claims: int, codec: Codec) -> None:
    """Serve tasks until the manager closes the socket."""
    try:
        _Worker(link, claims, codec).run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the manager is gone
