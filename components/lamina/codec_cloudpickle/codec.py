"""``CloudpickleCodec``: importable functions by reference, all others by value, once.

Plain pickle goes first because it is ten times as fast, and is content with most arguments.
Where it refuses, or where it would refer to ``__main__``, cloudpickle does the work.
"""

import hashlib
import io
import pickle
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle

from lamina.codec import (
    OUT_OF_BAND,
    Buffer,
    Buffers,
    CallForm,
    FunctionForm,
    Reference,
    describe_culprit,
    load_value,
    reference_to,
)
from lamina.codec_cloudpickle.snapshot import Snapshot
from lamina.vocabulary import HasStarted, SerializationError

__all__ = ["CloudpickleCodec"]

_DIGEST_SIZE = 16  # bytes

# The forms of functions by value, for as long as the functions live. They depend on nothing but
# the function, so all codecs share them; two threads at worst make the same form twice.
_forms: WeakKeyDictionary[FunctionType, tuple[Snapshot, FunctionForm]] = WeakKeyDictionary()


class CloudpickleCodec:
    """Writes functions and classes of ``__main__``, and local ones, by value. No options."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """What messages call it."""
        return "cloudpickle"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def dump_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> CallForm:
        """Write down a call. An importable function goes by reference, within the buffers.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        named = reference_to(function)
        form = None
        if named is None and isinstance(function, FunctionType):
            form = _form_of(function)
        try:
            return CallForm(form, _dump((named, args, dict(kwargs))))
        except Exception as error:  # the objects' own code may raise anything
            name = getattr(function, "__qualname__", repr(function))
            culprit = describe_culprit(_dump, args, kwargs) or f"function {name}"
            reason = f"{culprit} cannot be pickled: {error}"
            raise SerializationError(reason, HasStarted.NO) from error

    def load_function(self, form: bytes) -> Callable[..., Any]:
        """Make a function from its form."""
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


def _form_of(function: FunctionType) -> FunctionForm:
    kept = _forms.get(function)
    if kept is not None and kept[0].holds(function):
        return kept[1]
    # Taken first: what changes while the form is made shows at the next call.
    snapshot = Snapshot(function)
    try:
        file = io.BytesIO()
        _Pickler(file, protocol=5).dump(function)
    except Exception as error:  # whatever it closes over may raise anything
        reason = (
            f"function {function.__qualname__} of {function.__module__} cannot be pickled by "
            f"value, with the globals that it names and what it closes over: {error}"
        )
        raise SerializationError(reason, HasStarted.NO) from error
    content = file.getvalue()
    digest = hashlib.blake2b(content, digest_size=_DIGEST_SIZE).digest()
    form = FunctionForm(digest, content)
    _forms[function] = (snapshot, form)
    return form


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
    except Exception:  # cloudpickle may know how, and says why if it does not
        data = b""
    # "__main__" may be text in an argument; then the slower way gives the same result.
    if not data or b"__main__" in data:
        beside.clear()
        file = io.BytesIO()
        _Pickler(file, protocol=5, buffer_callback=take).dump(value)
        data = file.getvalue()
    return [data, *beside]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, no-any-unimported]  # no types there
    """Also names decorated functions of modules, which cloudpickle would send by value."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is FunctionType:
            reference = reference_to(obj)
            if isinstance(reference, Reference):
                return reference.__reduce__()
        return super().reducer_override(obj)
