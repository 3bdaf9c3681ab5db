"""Large arguments that are sent again and again: noticed, and what is better is said once for each.

An object is known again by itself, where it can be referred to weakly, and otherwise by its place
in memory and a sample of what is in it. None is kept alive, and nothing small is looked at.
"""

import itertools
import logging
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import ref

from lamina.executors import Call, TaskRequest

__all__ = ["LARGE", "Repeats"]

_LOG = logging.getLogger(__name__)

LARGE = 10**6  # bytes
TIMES = 3  # so often the same one is given before anything is said; a retry gives it twice
REMEMBERED = 64  # objects
_SAMPLE = 1024  # bytes or characters
_SMALL = frozenset({int, float, complex, bool, type(None)})


class _Seen:
    __slots__ = ("again", "times", "what")

    def __init__(self, again: "ref[Any] | None", what: Any) -> None:
        self.again, self.what, self.times = again, what, 0


class Repeats:
    """What has been given to the tasks of one executor."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, task: TaskRequest, sizes: Sequence[int]) -> None:
        """A call was written as buffers of these sizes, more than one or a large one."""
        size = sum(sizes)
        if size < LARGE or not isinstance(task.call, Call):
            return
        for value in _large(task.call, size):
            with self._lock:
                times = self._count(value)
            if times == TIMES:
                _LOG.warning(
                    "%s is given the same %s of %.1f MB again and again, and it is sent each "
                    "time. handle = share(it) sends it to each node once; give tasks the handle",
                    task.described,
                    type(value).__qualname__,
                    (_size(value) or size) / 1e6,
                )

    def _count(self, value: Any) -> int:
        seen = self._seen.get(id(value))
        what = _sample(value)
        if seen is None or seen.what != what or (seen.again is not None and seen.again() is None):
            seen = self._seen[id(value)] = _Seen(_weakly(value), what)
        self._seen.move_to_end(id(value))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        seen.times += 1
        return seen.times


def _large(call: Call, size: int) -> Iterator[Any]:
    """The arguments that make it large, as far as that can be told."""
    given = [value for value in (*call.args, *call.kwargs.values()) if type(value) not in _SMALL]
    sizes = [_size(value) for value in given]
    for value, known in zip(given, sizes, strict=True):
        if (known or 0) >= LARGE:
            yield value
            size -= known or 0
    unknown = [value for value, known in zip(given, sizes, strict=True) if known is None]
    if size >= LARGE and len(unknown) == 1:
        yield unknown[0]


def _size(value: Any) -> int | None:
    """Bytes, of what says how many it has."""
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    size = getattr(value, "nbytes", None)
    return size if type(size) is int else None


def _sample(value: Any) -> Any:
    """Something that another object in the same place would hardly have too."""
    kind = type(value)
    if kind in (bytes, bytearray, str):
        middle = len(value) // 2
        parts = (value[:_SAMPLE], value[middle : middle + _SAMPLE], value[-_SAMPLE:])
        data = "".join(parts).encode(errors="replace") if kind is str else b"".join(parts)
        return kind, len(value), zlib.crc32(data)
    if kind in (list, tuple):
        return kind, len(value), *(map(id, (value[0], value[-1])) if value else ())
    if kind is dict:
        return kind, len(value), *map(id, itertools.islice(value.values(), 1))
    return kind


def _weakly(value: Any) -> "ref[Any] | None":
    try:
        return ref(value)
    except TypeError:
        return None
