"""What manager and worker say to each other, over one stream socket, with ``struct`` alone.

A record is its length (4 bytes), its kind (1 byte) and its body, little-endian throughout.
Payloads are opaque here; only the worker unpickles them.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = [
    "DRY",
    "FORM",
    "MARK",
    "NEED",
    "OUTCOME",
    "TASK",
    "UP",
    "Assignment",
    "Records",
    "Report",
    "form_record",
    "mark_record",
    "need_record",
    "outcome_record",
    "read_form",
    "read_need",
    "read_outcome",
    "read_task",
    "record",
    "task_record",
]

# Manager to worker.
FORM: Final = 1  # digest, form
TASK: Final = 2
MARK: Final = 3  # what was sent before this and is not claimed is not yours any more
# Worker to manager.
UP: Final = 10
OUTCOME: Final = 11
DRY: Final = 12
NEED: Final = 13

NO_DIGEST: Final = b"\0" * 16

_HEAD = struct.Struct("<IB")
_TASK = struct.Struct("<Q16sIH")  # attempt, digest, length of options, number of buffers
_OUTCOME = struct.Struct("<QBddH")  # attempt, code, began, ended, number of buffers
_LENGTH = struct.Struct("<Q")

Buffer: TypeAlias = bytes | bytearray | memoryview


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
    """Cuts a stream of bytes into records, however the bytes come."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, memoryview]]:
        """Add bytes; yield the kinds and bodies of the records that are whole now."""
        if self._rest:
            self._rest += data
            data = bytes(self._rest)
            self._rest = bytearray()
        view = memoryview(data)
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            length, kind = _HEAD.unpack_from(data, at)
            if end - at - _HEAD.size < length:
                break
            at += _HEAD.size
            yield kind, view[at : at + length]
            at += length
        if at < end:
            self._rest = bytearray(view[at:])

    @property
    def wanted(self) -> int:
        """Bytes that the record under way still lacks, if that is known; for a good read size."""
        if len(self._rest) < _HEAD.size:
            return 0
        length: int = _HEAD.unpack_from(self._rest)[0]
        return length + _HEAD.size - len(self._rest)


def record(kind: int, *parts: Buffer) -> bytes:
    """Write a record."""
    return b"".join((_HEAD.pack(sum(map(len, parts)), kind), *parts))


def _with_buffers(buffers: Sequence[Buffer]) -> list[Buffer]:
    return [*(_LENGTH.pack(len(buffer)) for buffer in buffers), *buffers]


def _read_buffers(body: memoryview, at: int, count: int) -> list[Buffer]:
    lengths = [_LENGTH.unpack_from(body, at + i * _LENGTH.size)[0] for i in range(count)]
    at += count * _LENGTH.size
    buffers: list[Buffer] = []
    for length in lengths:
        buffers.append(body[at : at + length])
        at += length
    return buffers


def task_record(
    attempt: int, digest: bytes | None, buffers: Sequence[Buffer], options: Mapping[str, Any] | None
) -> bytes:
    """Write a task."""
    said = json.dumps(options).encode() if options else b""
    head = _TASK.pack(attempt, digest or NO_DIGEST, len(said), len(buffers))
    return record(TASK, head, said, *_with_buffers(buffers))


def read_task(body: memoryview) -> Assignment:
    """Read a task."""
    attempt, digest, said, count = _TASK.unpack_from(body)
    at = _TASK.size + said
    options = json.loads(bytes(body[_TASK.size : at])) if said else {}
    by_value = None if digest == NO_DIGEST else digest
    return Assignment(attempt, by_value, options, _read_buffers(body, at, count))


def outcome_record(report: Report) -> bytes:
    """Write an outcome."""
    head = _OUTCOME.pack(
        report.attempt, report.code, report.began, report.ended, len(report.buffers)
    )
    return record(OUTCOME, head, *_with_buffers(report.buffers))


def read_outcome(body: memoryview) -> Report:
    """Read an outcome."""
    attempt, code, began, ended, count = _OUTCOME.unpack_from(body)
    return Report(attempt, code, began, ended, _read_buffers(body, _OUTCOME.size, count))


def form_record(digest: bytes, form: bytes) -> bytes:
    """Write the form of a function by value."""
    return record(FORM, digest, form)


def read_form(body: memoryview) -> tuple[bytes, bytes]:
    """Read the form of a function by value."""
    return bytes(body[:16]), bytes(body[16:])


def mark_record() -> bytes:
    """Say that all unclaimed tasks sent so far have been taken back; the answer is DRY."""
    return record(MARK)


def need_record(digest: bytes) -> bytes:
    """Ask for a form."""
    return record(NEED, digest)


def read_need(body: memoryview) -> bytes:
    """Read which form is asked for."""
    return bytes(body)
