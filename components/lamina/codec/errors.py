"""Sending an exception home, whatever it is made of.

An exception may refuse to be pickled, or, worse, be pickled and then refuse to be unpickled: one
whose ``__init__`` wants more than it hands to ``super().__init__`` does. So each exception of the
chain is written alone, and read once where it was raised; one that fails travels as plain data.
Code of the exceptions runs here, on threads that serve other tasks: even its ``sys.exit`` is
caught.
"""

import pickle
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from lamina.codec.protocol import Buffers
from lamina.vocabulary import LaminaError, add_note

__all__ = ["RemoteError", "dump_error", "load_error"]

_LONGEST = 50  # exceptions of one chain
_MOST_TEXT = 200_000  # characters of a traceback; deep recursion makes long ones


class RemoteError(LaminaError):
    """Stands for an exception that could not travel; again will fail in the same way.

    ``type_name`` is its full class name, ``message`` its text.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(type_name, message)
        self.type_name, self.message = type_name, message

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message} (the exception itself could not be sent)"


def dump_error(error: BaseException, dump: Callable[[Any], Buffers]) -> bytes:
    """Write down an exception with what caused it and its traceback as text.

    ``dump`` is that of the codec. Raises nothing.
    """
    chain: list[BaseException] = [error]
    places = {id(error): 0}
    links: list[tuple[int | None, int | None, bool]] = []
    for one in chain:  # grows while it is walked
        ends: list[int | None] = []
        for other in (one.__cause__, one.__context__):
            if other is not None and id(other) not in places and len(chain) < _LONGEST:
                places[id(other)] = len(chain)
                chain.append(other)
            ends.append(None if other is None else places.get(id(other)))
        links.append((ends[0], ends[1], one.__suppress_context__))
    parts = [_write(one, dump) for one in chain]
    return pickle.dumps((parts, links, _text_of(error)), protocol=5)


def load_error(data: bytes) -> BaseException:
    """Read an exception that ``dump_error`` wrote. Raises nothing: what fails is replaced."""
    try:
        parts, links, text = pickle.loads(data)
        chain = [_read(*part) for part in parts]
        for one, (cause, context, suppress) in zip(chain, links, strict=True):
            put = partial(object.__setattr__, one)  # which frozen exceptions cannot refuse
            put("__cause__", None if cause is None else chain[cause])
            put("__context__", None if context is None else chain[context])
            put("__suppress_context__", suppress)
        add_note(chain[0], f"Traceback where it was raised:\n{text}")
        return chain[0]
    except BaseException as error:  # bytes from elsewhere, or an exception that resists: say so
        return RemoteError("an exception", f"what was sent cannot be read: {error!r}")


_Part = tuple[list[bytes] | None, str, str, list[str]]


def _write(error: BaseException, dump: Callable[[Any], Buffers]) -> _Part:
    form: list[bytes] | None
    try:
        form = [bytes(buffer) for buffer in dump(error)]
        if type(pickle.loads(form[0], buffers=form[1:])) is not type(error):
            form = None
    except BaseException:  # its own code, both ways
        form = None
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    notes = getattr(error, "__notes__", None)
    plain = [str(note) for note in notes] if isinstance(notes, list) else []
    return form, name, _message_of(error), plain


def _read(form: list[bytes] | None, name: str, message: str, notes: list[str]) -> BaseException:
    if form is not None:
        try:
            error = pickle.loads(form[0], buffers=form[1:])
        except BaseException:  # its class may be missing here, or its code fail
            error = None
        if isinstance(error, BaseException):
            return error
    stand_in = RemoteError(name, message)
    for note in notes:
        stand_in.add_note(note)
    return stand_in


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as failed:  # its own __str__
        return f"(its text cannot be had: {type(failed).__name__})"


def _text_of(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # a __str__ or a __cause__ property of its own
        text = "".join(traceback.format_tb(error.__traceback__))
    if len(text) > _MOST_TEXT:
        half = _MOST_TEXT // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    return text
