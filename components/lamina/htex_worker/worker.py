"""The worker: takes tasks from its socket, claims each, runs it, says what became of it.

It is single-threaded unless the user's code is not. The claim is one unit taken from an
eventfd that the manager holds as well: what the manager finds left in it, when this process is
dead or slow, has certainly not started.
"""

import os
import socket
import sys
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from lamina.codec import Buffer, Codec, dump_error, fetch_from, load_content
from lamina.htex_worker.pipe import (
    ABSENT,
    DROP,
    DRY,
    FORM,
    INITIALIZER,
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
    unfit_record,
    up_record,
)
from lamina.vocabulary import SerializationError

__all__ = ["serve"]

FUNCTIONS_LIMIT = 64 * 2**20  # bytes of functions that are kept
SHARED_LIMIT = 2**30  # bytes of shared objects that are kept between tasks
TRACEBACK_LIMIT = 4000  # characters that are told of the failure of an initializer
READ_SIZE = 2**16  # bytes; more than a bundle of small tasks

# As lamina.htex_core.frames has them; this process does without that brick.
_VALUE, _RAISED, _UNSENT = 0, 1, 3


class _Worker:
    def __init__(self, link: socket.socket, claims: int, codec: Codec) -> None:
        self._link, self._claims, self._codec = link, claims, codec
        self._records = Records()
        self._held: deque[Assignment] = deque()
        self._functions: OrderedDict[bytes, tuple[bytes, Callable[..., Any] | None]] = OrderedDict()
        """Forms, and what was made of them once it was needed."""
        self._size = 0
        self._initializer: Assignment | None = None
        self._shared: OrderedDict[bytes, tuple[int, Any]] = OrderedDict()
        """Sizes of shared objects as they came, and the objects."""
        self._shared_size = 0
        self._asked: set[bytes] = set()
        self._came: dict[bytes, memoryview | None] = {}
        """What was asked for and has come; None where nobody has it."""
        fetch_from(self.shared)

    def prepare(self) -> None:
        """Run the initializer, which comes first; if it fails, say so and end this process."""
        while self._initializer is None:
            self._read()
        try:
            self._call(self._initializer)
        except BaseException as error:  # of the user's code, or SystemExit: no task may run here
            said = "".join(traceback.format_exception(error))
            why = f"{_in_words(error)}\n{said[-TRACEBACK_LIMIT:]}"
            self._link.sendall(unfit_record(why))
            raise SystemExit(1) from None
        finally:
            _flush()

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
            elif kind == INITIALIZER:
                self._initializer = read_task(body)
            elif kind == FORM:
                self._take(*read_form(body))
            elif kind == ABSENT:
                self._take(bytes(body), None)
            elif kind == DROP:
                size, _ = self._shared.pop(bytes(body), (0, None))
                self._shared_size -= size
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

    def _take(self, digest: bytes, form: memoryview | None) -> None:
        if digest in self._asked:
            self._came[digest] = form
        elif form is not None:
            self._keep(digest, bytes(form))

    def _ask(self, digest: bytes) -> memoryview | None:
        """Have a form from the manager, or from whoever has it above; None if nobody has."""
        self._asked.add(digest)
        try:
            self._link.sendall(need_record(digest))
            while digest not in self._came:
                self._read()
            return self._came.pop(digest)
        finally:
            self._asked.discard(digest)

    def shared(self, digest: bytes) -> Any:
        """The shared object with this digest; the same one for every task while it is kept.

        Raises:
            SerializationError: Nobody has it, or something else came in its place.
            Exception: Whatever its own code raises.
        """
        if digest in self._shared:
            self._shared.move_to_end(digest)
            return self._shared[digest][1]
        form = self._ask(digest)
        if form is None:
            msg = (
                f"the shared object {digest.hex()[:12]} is gone, for its handle is; keep what "
                "share() returned for as long as tasks are given it"
            )
            raise SerializationError(msg)
        value = load_content(digest, form)
        self._shared[digest] = len(form), value
        self._shared_size += len(form)
        while self._shared_size > SHARED_LIMIT and len(self._shared) > 1:
            _, (size, _) = self._shared.popitem(last=False)
            self._shared_size -= size
        return value

    def _keep(self, digest: bytes, form: bytes) -> None:
        if digest in self._functions:
            return
        self._functions[digest] = (form, None)
        self._size += len(form)
        while self._size > FUNCTIONS_LIMIT and len(self._functions) > 1:
            _, (oldest, _) = self._functions.popitem(last=False)
            self._size -= len(oldest)

    def _function(self, digest: bytes) -> Callable[..., Any]:
        """The function; made when first called for, where its task has its environment."""
        if digest not in self._functions:
            came = self._ask(digest)
            if came is None:
                raise _NotSent(SerializationError("nobody has the function of this task any more"))
            self._keep(digest, bytes(came))
        self._functions.move_to_end(digest)
        form, function = self._functions[digest]
        if function is None:
            try:
                function = self._codec.load_function(form)
            except Exception as error:  # user code: it is the task that has to fail
                why = f"the function cannot be unpickled on the worker: {_in_words(error)}"
                raise _NotSent(SerializationError(why)) from error
            self._functions[digest] = (form, function)
        return function

    def _run(self, task: Assignment) -> Any:
        """The value of a task; whatever its pickle imports sees its environment and its cores."""
        options = task.options
        if not options:
            return self._call(task)
        with _variables(options.get("env")), _cores(options.get("cpus")):
            return self._call(task)

    def _call(self, task: Assignment) -> Any:
        if task.options.get("runner"):
            return _run_payload(task.options["runner"], bytes(task.buffers[0]))
        function = None if task.digest is None else self._function(task.digest)
        try:
            call, args, kwargs = self._codec.load_call(task.buffers, function)
        except Exception as error:  # whatever user classes do while they are unpickled
            why = f"the call cannot be unpickled on the worker: {_in_words(error)}"
            raise _NotSent(SerializationError(why)) from error
        return call(*args, **kwargs)

    def _do(self, task: Assignment) -> Report:
        codec = self._codec
        began, since = time.time(), time.monotonic()
        try:
            value = self._run(task)
            code, buffers = _VALUE, _dump(codec, value)
        except _NotSent as error:
            code, buffers = _UNSENT, [dump_error(error.error, codec.dump)]
        except BaseException as error:  # SystemExit too is only this task's end
            code, buffers = _RAISED, [dump_error(error, codec.dump)]
        _flush()
        # The wall clock may be set meanwhile; how long it took is what the manager reckons with.
        ended = began + time.monotonic() - since
        return Report(task.attempt, code, began, ended, buffers)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # a task closed or replaced it
            pass


class _NotSent(Exception):
    def __init__(self, error: SerializationError) -> None:
        super().__init__(error)
        self.error = error


def _dump(codec: Codec, value: Any) -> Sequence[Buffer]:
    try:
        return codec.dump(value)
    except Exception as error:  # whatever user classes do while they are pickled
        why = f"the result cannot be pickled: {_in_words(error)}"
        raise _NotSent(SerializationError(why)) from error


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


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


def serve(link: socket.socket, claims: int, codec: Codec, *, has_initializer: bool = False) -> None:
    """Serve tasks until the manager closes the socket; an initializer, if there is one, first."""
    worker = _Worker(link, claims, codec)
    try:
        if has_initializer:
            worker.prepare()
        worker.run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the manager is gone
