"""``PickleCodec``: the standard library's pickle, with large buffers beside it, uncopied."""

import io
import pickle
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from lamina.codec.culprit import describe_culprit
from lamina.codec.protocol import Buffer, Buffers, CallForm
from lamina.codec.references import NOT_IMPORTABLE, Reference, reference_to
from lamina.vocabulary import HasStarted, SerializationError

__all__ = ["OUT_OF_BAND", "PickleCodec", "load_value"]

OUT_OF_BAND = 16 * 1024
"""Buffers of at least this many bytes travel beside the pickle; smaller ones cost less in it."""

_REMEDY = (
    'move it into a module that workers can import, or use the codec "cloudpickle", '
    "which sends functions and classes by value"
)


class PickleCodec:
    """Writes with pickle, protocol 5; functions and classes go by reference only.

    It has no state and no options.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return "pickle"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def dump_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> CallForm:
        """Write down a call; the function goes by reference.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        reference = reference_to(function)
        if reference is None:
            reason = f"{_in_words(function)} cannot be imported by a worker; {_REMEDY}"
            raise SerializationError(reason, HasStarted.NO)
        try:
            return CallForm(None, _dump((reference, args, dict(kwargs))))
        except Exception as error:  # the objects' own code may raise anything
            culprit = describe_culprit(_dump, args, kwargs) or _in_words(function)
            reason = f"{culprit} cannot be pickled: {error}"
            raise SerializationError(reason, HasStarted.NO) from error

    def load_function(self, form: bytes) -> Callable[..., Any]:
        """Make a function from its form; this codec writes none, but reads what pickle reads."""
        function: Callable[..., Any] = pickle.loads(form)
        return function

    def load_call(
        self, buffers: Buffers, function: Callable[..., Any] | None
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Read a call; ``function`` is what the digest beside it stood for, if there was one."""
        named, args, kwargs = load_value(buffers)
        return (named if function is None else function), args, kwargs

    def dump(self, value: Any) -> Buffers:
        """Write down a value.

        Raises:
            SerializationError: It cannot be written; the text says why.
        """
        try:
            return _dump(value)
        except Exception as error:  # the objects' own code may raise anything
            reason = f"a value of type {type(value).__qualname__} cannot be pickled: {error}"
            raise SerializationError(reason) from error

    def load(self, buffers: Buffers) -> Any:
        """Read a value."""
        return load_value(buffers)


def load_value(buffers: Buffers) -> Any:
    """Read a pickle with its buffers. Those stay writable that were so where they came from."""
    if len(buffers) == 1:
        return pickle.loads(buffers[0])
    return pickle.loads(buffers[0], buffers=[_writable(buffer) for buffer in buffers[1:]])


def _writable(buffer: Buffer) -> Buffer:
    # What arrives may be immutable bytes; an array that a task was promised to own is not.
    # Buffers that were read-only at home are made so again by the pickle itself.
    return bytearray(buffer) if memoryview(buffer).readonly else buffer


def _dump(value: Any) -> list[Buffer]:
    beside: list[Buffer] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < OUT_OF_BAND:
            return True
        beside.append(raw)
        return False

    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=take)
    except Exception:  # perhaps a decorated function: those the slower pickler can name
        data = b""
    if not data or any(name.encode() in data for name in NOT_IMPORTABLE):
        # Pickle is content with what is in __main__, which is another module on the worker.
        beside.clear()
        file = io.BytesIO()
        _StrictPickler(file, protocol=5, buffer_callback=take).dump(value)
        data = file.getvalue()
    return [data, *beside]


class _StrictPickler(pickle.Pickler):
    """Names decorated functions, and refuses what only this process can import."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type):
            if obj.__module__ in NOT_IMPORTABLE:
                msg = f"class {obj.__qualname__} is defined in {obj.__module__}; {_REMEDY}"
                raise pickle.PicklingError(msg)
        elif type(obj) is FunctionType:
            reference = reference_to(obj)
            if reference is None:
                msg = f"{_in_words(obj)} cannot be imported by a worker; {_REMEDY}"
                raise pickle.PicklingError(msg)
            if isinstance(reference, Reference):
                return reference.__reduce__()
        return NotImplemented


def _in_words(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None) or repr(function)
    module = getattr(function, "__module__", None)
    kind = "class" if isinstance(function, type) else "function"
    if module in NOT_IMPORTABLE:
        return f"{kind} {name} of the program itself ({module})"
    if "<lambda>" in name or "<locals>" in name:
        return f"{kind} {name} of {module}, which has no name of its own in a module,"
    return f"{kind} {name} of {module}"
