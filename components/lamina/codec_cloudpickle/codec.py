"""``CloudpickleCodec``: importable functions by reference, all others by value, once."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

import cloudpickle

from lamina.codec import (
    Buffers,
    CallForm,
    Content,
    FunctionForm,
    Reference,
    Writer,
    form_by_name,
    gather_again,
    gathering,
    in_words,
    is_gathering,
    load_call,
    load_function,
    load_value,
    made_of,
    reference_to,
)
from lamina.codec_cloudpickle.snapshot import Snapshot
from lamina.vocabulary import HasStarted, SerializationError

__all__ = ["CloudpickleCodec"]


class _Kept(NamedTuple):
    """A form, what its function was then, and the shared objects that it names by digest."""

    snapshot: Snapshot
    form: FunctionForm
    shared: tuple["ref[Content]", ...]


# The forms of functions by value, for as long as the functions live. They depend on nothing but
# the function, so all codecs share them; two threads at worst make the same form twice.
_forms: WeakKeyDictionary[FunctionType, _Kept] = WeakKeyDictionary()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, no-any-unimported]  # no types there
    """Also names decorated functions of modules, which cloudpickle would send by value."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is FunctionType:
            reference = reference_to(obj)
            if isinstance(reference, Reference):
                return reference.__reduce__()
        return super().reducer_override(obj)


_writer = Writer(_Pickler, ["__main__"])


@dataclass(frozen=True, slots=True)
class CloudpickleCodec:
    """Writes functions and classes of ``__main__``, and local ones, by value. No options."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "cloudpickle"

    def dump_call(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> CallForm:
        """Write down a call. An importable function goes by its name.

        Raises:
            SerializationError: It cannot be written; the text names the part that cannot.
        """
        form = None
        if type(function) is FunctionType:
            form = form_by_name(function) or _form_by_value(function)
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


def _form_by_value(function: FunctionType) -> FunctionForm:
    kept = _forms.get(function)
    if kept is not None and kept.snapshot.holds(function):
        shared = [content for one in kept.shared if (content := one()) is not None]
        if not kept.shared or (is_gathering() and len(shared) == len(kept.shared)):
            gather_again(shared)
            return kept.form
    if not is_gathering():
        return _made(function, {})
    with gathering() as found:
        form = _made(function, found)
    gather_again([*found.values()])
    return form


def _made(function: FunctionType, shared: Mapping[bytes, Content]) -> FunctionForm:
    """The form of a function; ``shared`` is what it shares, once it has been pickled."""
    # Taken first: what changes while the form is made shows at the next call.
    snapshot = Snapshot(function)
    try:
        file = io.BytesIO()
        _Pickler(file, protocol=5).dump(function)
    except (Exception, SystemExit) as error:  # whatever it closes over may raise anything
        reason = (
            f"{in_words(function)} cannot be pickled by value, with the globals that it names "
            f"and what it closes over: {error}"
        )
        raise SerializationError(reason, HasStarted.NO) from error
    form = made_of(file.getvalue())
    _forms[function] = _Kept(snapshot, form, tuple(map(ref, shared.values())))
    return form
