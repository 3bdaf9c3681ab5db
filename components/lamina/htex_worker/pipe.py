"""What manager and worker say to each other, over one stream socket, with ``struct`` alone.

A record is its length (8 bytes), its kind (1 byte) and its body, little-endian throughout.
Payloads are opaque here; only the worker unpickles them.
"""

import json
import math
import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from lamina.vocabulary import LaminaError

__all__ = [
    "ABSENT",
    "BY_MANAGERS",
    "BY_WORKERS",
    "DROP",
    "DRY",
    "FORM",
    "INITIALIZER",
    "MARK",
    "NEED",
    "OUTCOME",
    "TASK",
    "UNFIT",
    "UP",
    "Assignment",
    "MalformedRecord",
    "Records",
    "Report",
    "absent_record",
    "drop_record",
    "form_record",
    "initializer_record",
    "mark_record",
    "need_record",
    "outcome_record",
    "read_form",
    "read_need",
    "read_outcome",
    "read_task",
    "read_unfit",
    "read_up",
    "record",
    "task_record",
    "unfit_record",
    "up_record",
]

# Manager to worker.
FORM: Final = 1  # digest, form: a function, or a shared object
TASK: Final = 2
MARK: Final = 3  # what was sent before this and is not claimed is not yours any more
INITIALIZER: Final = 4  # as a task; it is run once, before the worker says that it is up
ABSENT: Final = 5  # digest: nobody has the form that was asked for
DROP: Final = 6  # digest: a shared object that nobody needs any more
# Worker to manager.
UP: Final = 10  # pid
OUTCOME: Final = 11
DRY: Final = 12
NEED: Final = 13
UNFIT: Final = 14  # the initializer has failed: text

_WHOLE: Final = 2**16  # bytes; a longer record is read into a place of its own
_LONGEST: Final = 2**40  # bytes; what says that it is longer is no record of ours

NO_DIGEST: Final = b"\0" * 16

BY_MANAGERS: Final = frozenset((FORM, TASK, MARK, INITIALIZER, ABSENT, DROP))
BY_WORKERS: Final = frozenset((UP, OUTCOME, DRY, NEED, UNFIT))
_SIZES = {  # of bodies, where they are fixed
    MARK: 0, UP: 4, DRY: 0,
    **dict.fromkeys((NEED, ABSENT, DROP), len(NO_DIGEST)),
}  # fmt: skip
_CODES = frozenset((0, 1, 3))  # value, raised, unsent: as htex_core has them

_HEAD = struct.Struct("<QB")
_TASK = struct.Struct("<Q16sII")  # attempt, digest, length of options, number of buffers
_OUTCOME = struct.Struct("<QBddI")  # attempt, code, began, ended, number of buffers
_LENGTH = struct.Struct("<Q")
_PID = struct.Struct("<I")

Buffer: TypeAlias = bytes | bytearray | memoryview


class MalformedRecord(LaminaError):
    """A worker said what no worker of ours says: user code has written to its socket."""


class Assignment(NamedTuple):
    """A task as the worker gets it."""

    attempt: int
    digest: bytes | None
    options: Mapping[str, Any]
    buffers: Sequence[Buffer]


class Report(NamedTuple):
    """What became of it."""

    attempt: int
    code: int
    began: float
    ended: float
    buffers: Sequence[Buffer]


class Records:
    """Cuts a stream of bytes into records, however the bytes come.

    While a long record is under way, ``room`` is the place for what is still to come of it; it
    is read there directly, and so never copied. Otherwise there is no ``room``, and whatever
    was read goes to ``feed``. ``kinds`` are those that the other end may say.
    """

    def __init__(self, kinds: Container[int] = BY_MANAGERS | BY_WORKERS) -> None:
        self._kinds = kinds
        self._rest = b""
        self._long: memoryview | None = None
        self._kind = self._at = 0

    @property
    def room(self) -> memoryview | None:
        """Where to read the rest of a long record."""
        return None if self._long is None else self._long[self._at :]

    def filled(self, count: int) -> list[tuple[int, memoryview]]:
        """So many bytes were read into ``room``; the record, if it is whole."""
        body = self._long
        assert body is not None
        self._at += count
        if self._at < len(body):
            return []
        self._long = None
        return [(self._kind, body)]

    def feed(self, data: bytes) -> Iterator[tuple[int, memoryview]]:
        """Add bytes; yield the kinds and bodies of the records that are whole now.

        Raises:
            MalformedRecord: What comes next is none.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        view = memoryview(data)
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(data, at)
            if kind not in self._kinds or _SIZES.get(kind, length) != length or length > _LONGEST:
                # Now, and not when all that it promises has come, which may be never.
                raise MalformedRecord(f"kind {kind} and a length of {length}")
            start = at + _HEAD.size
            stop = start + length
            if stop > end:
                if length > _WHOLE:
                    self._begin(kind, length, view[start:])
                    return
                break
            yield kind, view[start:stop]
            at = stop
        self._rest = data[at:]

    def _begin(self, kind: int, length: int, data: memoryview) -> None:
        try:
            room = bytearray(length)
        except MemoryError:
            raise MalformedRecord(f"{length} bytes, for which there is no room") from None
        self._kind, self._at = kind, len(data)
        self._long = memoryview(room)
        self._long[: self._at] = data


def record(kind: int, *parts: Buffer) -> bytes:
    """Write a record."""
    return b"".join((_HEAD.pack(sum(map(len, parts)), kind), *parts))


def _with_buffers(kind: int, front: bytes, buffers: Sequence[Buffer]) -> list[Buffer]:
    """A record whose small buffers are joined to what stands before them."""
    sizes = [len(buffer) for buffer in buffers]
    head = _HEAD.pack(len(front) + _LENGTH.size * len(sizes) + sum(sizes), kind)
    parts: list[Buffer] = []
    small: list[Buffer] = [head, front, *map(_LENGTH.pack, sizes)]
    for buffer in buffers:
        if len(buffer) <= _WHOLE:
            small.append(buffer)
        else:
            parts += (b"".join(small), buffer)
            small = []
    if small:
        parts.append(b"".join(small))
    return parts


def _read_buffers(body: memoryview, at: int, count: int) -> list[Buffer]:
    lengths = [_LENGTH.unpack_from(body, at + i * _LENGTH.size)[0] for i in range(count)]
    at += count * _LENGTH.size
    buffers: list[Buffer] = []
    for length in lengths:
        buffers.append(body[at : at + length])
        at += length
    if at != len(body):
        raise MalformedRecord("buffers of other lengths than they are said to have")
    return buffers


def task_record(
    attempt: int, digest: bytes | None, buffers: Sequence[Buffer], options: Mapping[str, Any] | None
) -> list[Buffer]:
    """Write a task, as parts that belong together."""
    said = json.dumps(options).encode() if options else b""
    head = _TASK.pack(attempt, digest or NO_DIGEST, len(said), len(buffers))
    return _with_buffers(TASK, head + said, buffers)


def initializer_record(digest: bytes | None, buffers: Sequence[Buffer]) -> list[Buffer]:
    """Write the call that prepares a worker, as parts that belong together."""
    return _with_buffers(INITIALIZER, _TASK.pack(0, digest or NO_DIGEST, 0, len(buffers)), buffers)


def read_task(body: memoryview) -> Assignment:
    """Read a task."""
    attempt, digest, said, count = _TASK.unpack_from(body)
    at = _TASK.size + said
    options = json.loads(bytes(body[_TASK.size : at])) if said else {}
    by_value = None if digest == NO_DIGEST else digest
    return Assignment(attempt, by_value, options, _read_buffers(body, at, count))


def outcome_record(report: Report) -> list[Buffer]:
    """Write an outcome, as parts that belong together."""
    head = _OUTCOME.pack(
        report.attempt, report.code, report.began, report.ended, len(report.buffers)
    )
    return _with_buffers(OUTCOME, head, report.buffers)


def read_outcome(body: memoryview) -> Report:
    """Read an outcome.

    Raises:
        MalformedRecord: It is none.
    """
    try:
        attempt, code, began, ended, count = _OUTCOME.unpack_from(body)
        buffers = _read_buffers(body, _OUTCOME.size, count)
    except struct.error as error:
        raise MalformedRecord(str(error)) from None
    known = code in _CODES and (count > 0 or code == 0)  # without a value, there is an exception
    if not (known and math.isfinite(began) and math.isfinite(ended)):
        raise MalformedRecord("an outcome that adds up to nothing")
    return Report(attempt, code, began, ended, buffers)


def form_record(digest: bytes, form: Buffer) -> list[Buffer]:
    """Write a form, as parts that belong together."""
    if len(form) <= _WHOLE:
        return [record(FORM, digest, form)]
    return [_HEAD.pack(len(digest) + len(form), FORM) + digest, form]


def read_form(body: memoryview) -> tuple[bytes, memoryview]:
    """Read a form, which is not copied."""
    return bytes(body[:16]), body[16:]


def absent_record(digest: bytes) -> bytes:
    """Say that nobody has the form that was asked for."""
    return record(ABSENT, digest)


def drop_record(digest: bytes) -> bytes:
    """Say that nobody needs a shared object any more."""
    return record(DROP, digest)


def mark_record() -> bytes:
    """Say that all unclaimed tasks sent so far have been taken back; the answer is DRY."""
    return record(MARK)


def up_record(pid: int) -> bytes:
    """Say that this process is ready for tasks."""
    return record(UP, _PID.pack(pid))


def read_up(body: memoryview) -> int:
    """Read which process is ready."""
    pid: int = _PID.unpack(body)[0]
    return pid


def need_record(digest: bytes) -> bytes:
    """Ask for a form."""
    return record(NEED, digest)


def unfit_record(why: str) -> bytes:
    """Say that the initializer has failed, and this process ends."""
    return record(UNFIT, why.encode(errors="replace"))


def read_unfit(body: memoryview) -> str:
    """Read why a worker is unfit."""
    return bytes(body).decode(errors="replace")


def read_need(body: memoryview) -> bytes:
    """Read which form is asked for."""
    return bytes(body)
