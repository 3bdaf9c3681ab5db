"""What all codecs of the pickle family have in common: two picklers, buffers, and reading back.

Plain pickle goes first because it is ten times as fast, and is content with most objects. What
it refuses, or writes in a way that another process could not read, goes to a slower pickler.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from lamina.codec.culprit import describe_culprit
from lamina.codec.protocol import Buffer, Buffers, CallForm, FunctionForm
from lamina.codec.references import NOT_IMPORTABLE
from lamina.vocabulary import HasStarted, SerializationError

__all__ = [
    "OUT_OF_BAND",
    "Writer",
    "in_words",
    "load_call",
    "load_function",
    "load_value",
]

OUT_OF_BAND = 16 * 1024
"""Buffers of at least this many bytes travel beside the pickle; smaller ones cost less in it."""


class SlowPickler(Protocol):
    """Makes a pickler that knows how to write, or how to refuse, what plain pickle does not."""

    def __call__(
        self,
        file: io.BytesIO,
        *,
        protocol: int,
        buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
    ) -> pickle.Pickler:
        """As ``pickle.Pickler``."""
        ...


class Writer:
    """Writes objects as buffers.

    Args:
        slow: The pickler for what plain pickle cannot do.
        marks: Names that make a plain pickle suspect. They may be nothing but text in an
            argument; then the slow pickler gives the same result.
    """

    def __init__(self, slow: SlowPickler, marks: Iterable[str]) -> None:
        self._slow = slow
        self._marks = tuple(mark.encode() for mark in marks)

    def write(self, value: Any) -> list[Buffer]:
        """Write an object; raises whatever its own code raises."""
        beside: list[Buffer] = []

        def take(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < OUT_OF_BAND:
                return True
            beside.append(raw)
            return False

        try:
            data = pickle.dumps(value, protocol=5, buffer_callback=take)
        except Exception:  # the slow pickler may know how, and says why if it does not
            data = b""
        suspect = not data
        for mark in self._marks:  # any() costs a generator, for each task
            suspect = suspect or mark in data
        if suspect:
            beside.clear()
            file = io.BytesIO()
            self._slow(file, protocol=5, buffer_callback=take).dump(value)
            data = file.getvalue()
        return [data, *beside]

    def dump(self, value: Any) -> Buffers:
        """Write down a value.

        Raises:
            SerializationError: It cannot be written; the text says why.
        """
        try:
            return self.write(value)
        except Exception as error:  # the objects' own code may raise anything
            reason = f"a value of type {type(value).__qualname__} cannot be pickled: {error}"
            raise SerializationError(reason) from error

    def dump_call(
        self,
        form: FunctionForm | None,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> CallForm:
        """Write down a call; what is called goes with it, unless it has a form of its own.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        try:
            called = function if form is None else None
            return CallForm(form, self.write((called, args, dict(kwargs))))
        except (Exception, SystemExit) as error:  # the objects' own code may raise anything
            # Calls are written by threads that others depend on: sys.exit must not end them.
            culprit = describe_culprit(self.write, args, kwargs) or in_words(function)
            reason = f"{culprit} cannot be pickled: {error}"
            raise SerializationError(reason, HasStarted.NO) from error


def load_value(buffers: Buffers) -> Any:
    """Read a pickle with its buffers. Those stay writable that were so where they came from."""
    if len(buffers) == 1:
        return pickle.loads(buffers[0])
    return pickle.loads(buffers[0], buffers=[_writable(buffer) for buffer in buffers[1:]])


def load_call(
    buffers: Buffers, function: Callable[..., Any] | None
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Read a call; ``function`` is what the digest beside it stood for, if there was one."""
    named, args, kwargs = load_value(buffers)
    return (named if function is None else function), args, kwargs


def load_function(form: bytes) -> Callable[..., Any]:
    """Make a function from its form."""
    function: Callable[..., Any] = pickle.loads(form)
    return function


def in_words(function: Callable[..., Any]) -> str:
    """What a message calls a function or class."""
    name = getattr(function, "__qualname__", None) or repr(function)
    module = getattr(function, "__module__", None)
    kind = "class" if isinstance(function, type) else "function"
    if module in NOT_IMPORTABLE:
        return f"{kind} {name} of the program itself ({module})"
    if "<lambda>" in name or "<locals>" in name:
        return f"{kind} {name} of {module}, which has no name of its own in a module,"
    return f"{kind} {name} of {module}"


def _writable(buffer: Buffer) -> Buffer:
    # What arrives may be immutable bytes; an array that a task was promised to own is not.
    # Buffers that were read-only at home are made so again by the pickle itself.
    return bytearray(buffer) if memoryview(buffer).readonly else buffer
