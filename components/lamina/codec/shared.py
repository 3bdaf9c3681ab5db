"""Objects that many tasks are given: a task carries their digest, and they travel once.

``Shared`` is a handle to such an object. What a pickle makes of it depends on who writes the
pickle. Within ``gathering`` it is a digest, and whoever gathers sees to it that the content can be
had where the pickle is read, from the source that ``fetch_from`` names. Everywhere else it is the
object itself, by value. Either way nobody who reads the pickle sees the handle.
"""

import hashlib
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from lamina.codec.protocol import Buffer, Buffers
from lamina.codec.writer import load_value
from lamina.vocabulary import SerializationError

__all__ = [
    "Content",
    "Shared",
    "any_shared",
    "fetch_from",
    "gather_again",
    "gathering",
    "is_gathering",
    "load_content",
    "resolved",
]

_T = TypeVar("_T")

_DIGEST_SIZE = 16  # bytes
_PERSON = b"shared object"  # no function can have the same digest
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")


class Content:
    """The pickle of a shared object. All handles to equal ones have the same, while one lives."""

    __slots__ = ("__weakref__", "data", "digest")

    def __init__(self, data: bytes, digest: bytes) -> None:
        self.data, self.digest = data, digest


_contents: WeakValueDictionary[bytes, Content] = WeakValueDictionary()
_making = threading.Lock()


class _Here(threading.local):
    found: dict[bytes, Content] | None = None
    source: Callable[[bytes], Any] | None = None


_here = _Here()


class Shared(Generic[_T]):
    """A handle to an object that tasks get in its place.

    Args:
        value: The object, as it is now. Tasks must not change it, for others on the same worker
            or thread get the same one.
        dump: Writes it down; that of a codec.

    Raises:
        SerializationError: It cannot be pickled; the text says why.
    """

    __slots__ = ("__weakref__", "_content", "_value")

    def __init__(self, value: _T, dump: Callable[[Any], Buffers]) -> None:
        self._value = value
        data = _joined(dump(value))
        digest = _digest_of(data)
        with _making:
            content = _contents.get(digest)
            if content is None:
                content = _contents[digest] = Content(data, digest)
        self._content = content

    @property
    def value(self) -> _T:
        """The object."""
        return self._value

    @property
    def digest(self) -> bytes:
        """16 bytes that name its content."""
        return self._content.digest

    @property
    def size(self) -> int:
        """What it takes to send it, in bytes."""
        return len(self._content.data)

    def __repr__(self) -> str:
        kind = type(self._value).__qualname__
        return f"<shared {kind} of {self.size} bytes, {self.digest.hex()[:12]}>"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        content = self._content
        if _here.found is None:
            return _load, (content.data,)
        _here.found[content.digest] = content
        return _fetch, (content.digest,)


def any_shared() -> bool:
    """Whether there is any handle in this process: if not, nobody need look for one."""
    return bool(_contents)


@contextmanager
def gathering() -> Iterator[dict[bytes, Content]]:
    """Have handles that are pickled by this thread meanwhile become digests; it yields which."""
    before, _here.found = _here.found, {}
    try:
        yield _here.found
    finally:
        _here.found = before


def is_gathering() -> bool:
    """Whether a handle that is pickled now becomes a digest."""
    return _here.found is not None


def gather_again(contents: Sequence[Content]) -> None:
    """A pickle with these digests in it, made before, is used once more."""
    if _here.found is not None:
        _here.found.update((content.digest, content) for content in contents)


def fetch_from(source: Callable[[bytes], Any]) -> None:
    """Where this thread has shared objects from, by their digests."""
    _here.source = source


def load_content(digest: bytes, data: Buffer) -> Any:
    """Read what was shared under this digest.

    Raises:
        SerializationError: It is something else.
        Exception: Whatever its own code raises.
    """
    if _digest_of(data) != digest:
        msg = f"what came as the shared object {digest.hex()[:12]} is not it; submit the task again"
        raise SerializationError(msg)
    return _load(data)


def resolved(value: Any) -> Any:
    """The value with objects in the place of handles.

    It looks into lists, tuples, dicts and sets, and copies those in which it finds any.
    """
    kind = type(value)
    if kind is Shared:
        return value.value
    if kind in (list, tuple, set, frozenset):
        items = [resolved(item) for item in value]
        changed = any(new is not old for new, old in zip(items, value, strict=True))
        return kind(items) if changed else value
    if kind is dict:
        table = {key: resolved(item) for key, item in value.items()}
        return table if any(table[key] is not value[key] for key in value) else value
    return value


def _fetch(digest: bytes) -> Any:
    if _here.source is None:
        msg = (
            f"the shared object {digest.hex()[:12]} can be had only by a task that was given its "
            "handle, in the thread that runs the task"
        )
        raise SerializationError(msg)
    return _here.source(digest)


def _load(data: Buffer) -> Any:
    return load_value(_split(data))


def _digest_of(data: Buffer) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE, person=_PERSON).digest()


def _joined(buffers: Buffers) -> bytes:
    """Buffers in one piece: how many, the size of each, all of them; numbers little-endian."""
    sizes = [_LENGTH.pack(memoryview(buffer).nbytes) for buffer in buffers]
    return b"".join((_COUNT.pack(len(buffers)), *sizes, *buffers))


def _split(data: Buffer) -> list[memoryview]:
    view = memoryview(data)
    (count,) = _COUNT.unpack_from(view)
    at = _COUNT.size + count * _LENGTH.size
    buffers = []
    for index in range(count):
        (size,) = _LENGTH.unpack_from(view, _COUNT.size + index * _LENGTH.size)
        buffers.append(view[at : at + size])
        at += size
    return buffers
