"""``PickleCodec``: the standard library's pickle, with large buffers beside it, uncopied."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from lamina.codec.protocol import Buffers, CallForm
from lamina.codec.references import NOT_IMPORTABLE, Reference, form_by_name, reference_to
from lamina.codec.writer import Writer, in_words, load_call, load_function, load_value
from lamina.vocabulary import HasStarted, SerializationError

__all__ = ["PickleCodec"]

_REMEDY = (
    'move it into a module that workers can import, or use the codec "cloudpickle", '
    "which sends functions and classes by value"
)


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
                msg = f"{in_words(obj)} cannot be imported by a worker; {_REMEDY}"
                raise pickle.PicklingError(msg)
            if isinstance(reference, Reference):
                return reference.__reduce__()
        return NotImplemented


# Pickle is content with what is in __main__, which is another module on the worker.
_writer = Writer(_StrictPickler, NOT_IMPORTABLE)


@dataclass(frozen=True, slots=True)
class PickleCodec:
    """Writes with pickle, protocol 5; functions and classes go by reference only.

    It has no state and no options.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        return "pickle"

    def dump_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> CallForm:
        """Write down a call; the function goes by reference.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        if type(function) is not FunctionType:
            return _writer.dump_call(None, function, args, kwargs)
        form = form_by_name(function)
        if form is None:
            reason = f"{in_words(function)} cannot be imported by a worker; {_REMEDY}"
            raise SerializationError(reason, HasStarted.NO)
        return _writer.dump_call(form, function, args, kwargs)

    def dump(self, value: Any) -> Buffers:
        """Write down a value.

        Raises:
            SerializationError: It cannot be written; the text says why.
        """
        return _writer.dump(value)

    load_function = staticmethod(load_function)
    load_call = staticmethod(load_call)
    load = staticmethod(load_value)
