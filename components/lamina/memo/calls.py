"""What makes two calls the same call, and what tells them apart.

A key is a digest of the user's function, of the arguments under the names of its parameters, of
the declared outputs, and of the version that its author gives it. It carries what it was made of,
so that a store can keep that too and say later why a look-up missed.
"""

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lamina.memo.files import FilePolicy, counting_files
from lamina.memo.keys import MemoKeyError, digest, part_of, type_name
from lamina.memo.protocol import Subject

__all__ = ["CallKey", "CallPrint", "differences", "memo_key", "nearest"]

_RULES = b"2"  # the version of these rules
_SHORT = 8  # bytes of a digest that only serves to say what differs
_VARIABLE = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_BY_NAME = frozenset({"outputs", "stdout", "stderr"})
"""Parameters whose files are written: what is in them before does not count."""


class CallPrint(NamedTuple):
    """What a key was made of, by digests: enough to say in what two calls differ."""

    function: str
    """Its module and qualified name."""
    code: bytes
    version: str
    arguments: tuple[tuple[str, bytes], ...]
    outputs: bytes


class CallKey(bytes):
    """The key of a call, which knows what it was made of."""

    made_of: CallPrint


def memo_key(subject: Subject, files: FilePolicy = "name") -> CallKey:
    """The key of a call, however its arguments were spelt: by position, by keyword, by default.

    Raises:
        MemoKeyError: A value in it has no rule.
    """
    try:
        if files == "name":
            return _key(subject)
        with counting_files(files, subject.outputs):
            return _key(subject)
    except RecursionError:
        name = type_name(type(subject.function))
        raise MemoKeyError(name, "an argument", "it is too deep, or holds itself") from None


def _key(subject: Subject) -> CallKey:
    user, _, _, outputs, ignored, version = subject
    function = part_of(user, "the function")
    parts = [_RULES, version.encode(), function]
    prints = []
    for kind, name, value in _arguments(subject):
        if name in ignored:
            continue
        if name in _BY_NAME:
            with counting_files("name"):
                part = part_of(value, name)
        else:
            part = part_of(value, name)
        parts += (_label(kind, name), part)
        prints.append((name, part[:_SHORT]))
    written = b""
    if outputs and "outputs" not in ignored:
        written = digest(file.url.encode("utf-8", "surrogateescape") for file in outputs)
    parts.append(written)
    key = CallKey(digest(parts))
    key.made_of = CallPrint(
        _name_of(user), function[:_SHORT], version, tuple(prints), written[:_SHORT]
    )
    return key


@functools.lru_cache(4096)
def _label(kind: str, name: str) -> bytes:
    return f"{kind} {name}".encode()


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return type_name(type(function))
    return f"{getattr(function, '__module__', '')}.{name}"


@functools.lru_cache(1024)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _plainly_bound(subject: Subject) -> Iterable[tuple[str, object]] | None:
    """What ``_bound`` finds, at a fifth of the price; None where that is not certain."""
    function, args, kwargs = subject.function, subject.args, subject.kwargs
    if type(function) is not types.FunctionType or function.__dict__:
        return None  # what its signature is, others may say
    code = function.__code__
    count, given = code.co_argcount, len(args)
    if code.co_flags & _VARIABLE or code.co_kwonlyargcount or given > count:
        return None
    names = code.co_varnames[:count]
    if given == count and not kwargs:
        return zip(names, args, strict=True)
    if kwargs and code.co_posonlyargcount:
        return None
    defaults = function.__defaults__ or ()
    values, left = list(args), len(kwargs)
    for index in range(given, count):
        if names[index] in kwargs:
            values.append(kwargs[names[index]])
            left -= 1
        elif index >= count - len(defaults):
            values.append(defaults[index - count])
        else:
            return None
    return None if left else zip(names, values, strict=True)


def _bound(subject: Subject) -> inspect.BoundArguments:
    try:
        signature = _signature(subject.function)
    except TypeError:  # it has no hash
        signature = inspect.signature(subject.function)
    return signature.bind(*subject.args, **subject.kwargs)


def _arguments(subject: Subject) -> Iterator[tuple[str, str, object]]:
    """The arguments with their names, in one order for all spellings of the same call."""
    if (plain := _plainly_bound(subject)) is not None:
        for name, value in plain:
            yield "parameter", name, value
        return
    try:
        bound = _bound(subject)
    except (TypeError, ValueError):  # it has no signature, or the call does not fit
        for number, value in enumerate(subject.args):
            yield "at", str(number), value
        yield from _sorted("keyword", subject.kwargs)
        return
    bound.apply_defaults()
    for name, value in bound.arguments.items():
        if bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            yield from _sorted("keyword", value)
        else:
            yield "parameter", name, value


def _sorted(kind: str, values: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    for name in sorted(values):
        yield kind, name, values[name]


def differences(now: CallPrint, before: CallPrint) -> Sequence[str]:
    """In what a call differs from one that was recorded; empty if in nothing."""
    found = []
    if now.code != before.code:
        found.append("the function has changed: its body, a default, or what it closes over")
    if now.version != before.version:
        found.append(f"its version was {before.version!r} and is {now.version!r}")
    then = dict(before.arguments)
    for number, (name, value) in enumerate(now.arguments, 1):
        if name not in then:
            found.append(f"argument {number} ({name}) is new")
        elif then[name] != value:
            found.append(f"argument {number} ({name}) differs")
    names = {name for name, _ in now.arguments}
    found += [f"argument {name} is missing" for name in then if name not in names]
    if now.outputs != before.outputs:
        found.append("its outputs are other files")
    return found


def nearest(now: CallPrint, before: Iterable[CallPrint]) -> Sequence[str] | None:
    """The fewest differences to any of these calls; None if there are none."""
    return min((differences(now, one) for one in before), key=len, default=None)
