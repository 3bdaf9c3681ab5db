"""What makes two calls the same call.

A key is a digest of the user's function, of the arguments under the names of its parameters, and
of the version that its author gives it. It never depends on the process, the hash seed, or the
order in which a set or dict was filled.

``id_for_memo`` is the rule for one value, by its type. A rule for a type of your own::

    @id_for_memo.register
    def _(mesh: Mesh) -> bytes:
        return mesh.checksum

A rule returns bytes that are equal for equal values of its type; the type itself is added.
"""

import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import inspect
import pathlib
import types
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from lamina.codec import Shared
from lamina.memo.protocol import MemoKey, Subject
from lamina.vocabulary import File, LaminaError

__all__ = ["MemoKeyError", "id_for_memo", "memo_key"]

_SIZE = 20  # bytes of a digest: no two calls will ever meet by chance


class MemoKeyError(LaminaError):
    """A call cannot be remembered, for a value in it has no rule. Again will not help."""

    def __init__(self, type_name: str, path: str, why: str = "") -> None:
        super().__init__(type_name, path, why)
        self.type_name, self.path, self.why = type_name, path, why

    def __str__(self) -> str:
        return (
            f"no rule makes a memo key from {self.path or 'the value'}, of type {self.type_name}"
            f"{': ' + self.why if self.why else ''}. Register one with "
            f"@id_for_memo.register for {self.type_name.rpartition('.')[2]} that returns bytes, "
            "name the parameter in ignore_for_cache, or call the app with cache=False."
        )


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _digest(parts: Iterable[bytes]) -> bytes:
    """One digest of many parts, each with its length, so that none can run into the next."""
    state = hashlib.blake2b(digest_size=_SIZE)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def _part(value: object, step: str) -> bytes:
    """The digest of a value inside another; ``step`` is how one gets to it from there."""
    try:
        return _digest((_type_name(type(value)).encode(), id_for_memo(value)))
    except MemoKeyError as error:
        raise MemoKeyError(error.type_name, step + error.path, error.why) from None


@functools.singledispatch
def id_for_memo(value: object) -> bytes:
    """The rule for one value: bytes that are equal for equal values of its type.

    Raises:
        MemoKeyError: Its type has no rule; register one.
    """
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return _fields(value, (field.name for field in dataclasses.fields(kind)))
    if attrs.has(kind):
        return _fields(value, (field.name for field in attrs.fields(kind)))
    raise MemoKeyError(_type_name(kind), "")


def _fields(value: object, names: Iterable[str]) -> bytes:
    def parts() -> Iterator[bytes]:
        for name in names:
            if hasattr(value, name):
                yield name.encode()
                yield _part(getattr(value, name), f".{name}")

    return _digest(parts())


def _builtin(rule: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """A rule that holds for subclasses too, unless they carry what the rule does not see."""

    @functools.wraps(rule)
    def careful(value: Any) -> bytes:
        kind = type(value)
        if isinstance(value, enum.Enum):
            return _enum(value)
        if dataclasses.is_dataclass(kind) or attrs.has(kind):
            raise MemoKeyError(_type_name(kind), "", "it is a container with fields besides")
        if getattr(value, "__dict__", None):
            raise MemoKeyError(_type_name(kind), "", "it has attributes besides its content")
        return rule(value)

    return careful


def _enum(value: enum.Enum) -> bytes:
    return str(value.name).encode() if value.name else repr(value.value).encode()


id_for_memo.register(enum.Enum, _enum)
id_for_memo.register(type(None), lambda _: b"")
id_for_memo.register(type(Ellipsis), lambda _: b"")
id_for_memo.register(bool, lambda value: b"1" if value else b"0")
# Of an int in hexadecimal: decimal digits are slow, and limited, for huge ones.
id_for_memo.register(int, _builtin(lambda value: hex(value).encode()))
id_for_memo.register(float, _builtin(lambda value: float.__repr__(value).encode()))
id_for_memo.register(complex, _builtin(lambda value: complex.__repr__(value).encode()))
for _text in (decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath):
    id_for_memo.register(_text, lambda value: str(value).encode("utf-8", "surrogateescape"))
id_for_memo.register(str, _builtin(lambda value: value.encode("utf-8", "surrogatepass")))
for _raw in (bytes, bytearray):
    id_for_memo.register(_raw, _builtin(lambda value: _digest((bytes(value),))))
id_for_memo.register(range, lambda value: repr(value).encode())
id_for_memo.register(Shared, lambda value: value.digest)
id_for_memo.register(File, lambda value: value.url.encode("utf-8", "surrogateescape"))


@id_for_memo.register
def _date(value: datetime.date) -> bytes:
    return value.isoformat().encode()


@id_for_memo.register
def _datetime(value: datetime.datetime) -> bytes:
    return f"{value.isoformat()} {value.tzname()} {value.fold}".encode()


@id_for_memo.register
def _time(value: datetime.time) -> bytes:
    return f"{value.isoformat()} {value.tzname()} {value.fold}".encode()


@id_for_memo.register
def _timedelta(value: datetime.timedelta) -> bytes:
    return f"{value.days} {value.seconds} {value.microseconds}".encode()


@id_for_memo.register(list)
@id_for_memo.register(tuple)
@_builtin
def _sequence(value: Any) -> bytes:
    names = getattr(value, "_fields", None)
    steps = [f".{name}" for name in names] if names else None
    return _digest(
        _part(part, steps[n] if steps and n < len(steps) else f"[{n}]")
        for n, part in enumerate(value)
    )


@id_for_memo.register(dict)
@_builtin
def _dict(value: Any) -> bytes:
    pairs = [
        _part(key, ".keys()") + _part(part, f"[{str(key)[:40]!r}]") for key, part in value.items()
    ]
    return _digest(sorted(pairs))


@id_for_memo.register
def _mapping_proxy(value: types.MappingProxyType) -> bytes:  # type: ignore[type-arg]
    return _dict(dict(value))


@id_for_memo.register(set)
@id_for_memo.register(frozenset)
@_builtin
def _set(value: Any) -> bytes:
    return _digest(sorted(_part(part, "{…}") for part in value))


# Functions: by where they are defined and by what they do.

_VISITING: ContextVar[tuple[int, ...]] = ContextVar("visiting", default=())


@id_for_memo.register
def _function(value: types.FunctionType) -> bytes:
    name = f"{value.__module__}.{value.__qualname__}".encode()
    outer = _VISITING.get()
    if id(value) in outer:  # a closure that holds itself
        return name
    token = _VISITING.set((*outer, id(value)))
    try:
        return _digest(
            (
                name,
                _code(value.__code__),
                _part(value.__defaults__, ".__defaults__"),
                _part(value.__kwdefaults__, ".__kwdefaults__"),
                *_cells(value),
            )
        )
    finally:
        _VISITING.reset(token)


def _cells(function: types.FunctionType) -> Iterator[bytes]:
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet
            yield b""
            continue
        yield _part(content, f" (the variable {name} of an enclosing function)")


def _code(code: types.CodeType) -> bytes:
    """A digest of what code does, whatever file and line it stands in."""
    constants = (
        _code(constant) if isinstance(constant, types.CodeType) else _part(constant, "")
        for constant in code.co_consts
    )
    names = (*code.co_names, "", *code.co_varnames, "", *code.co_freevars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return _digest(
        (code.co_code, repr(counts).encode(), *(name.encode() for name in names), *constants)
    )


@id_for_memo.register
def _partial(value: functools.partial) -> bytes:  # type: ignore[type-arg]
    return _digest(
        (
            _part(value.func, ".func"),
            _part(value.args, ".args"),
            _part(value.keywords, ".keywords"),
        )
    )


@id_for_memo.register
def _method(value: types.MethodType) -> bytes:
    return _digest((_part(value.__func__, ".__func__"), _part(value.__self__, ".__self__")))


@id_for_memo.register(types.BuiltinFunctionType)
def _builtin_function(value: Any) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return f"{value.__module__}.{value.__qualname__}".encode()
    return _digest((value.__qualname__.encode(), _part(owner, ".__self__")))


@id_for_memo.register
def _class(value: type) -> bytes:
    return _type_name(value).encode()


# Calls


def memo_key(subject: Subject) -> MemoKey:
    """The key of a call, however its arguments were spelt: by position, by keyword, by default.

    Raises:
        MemoKeyError: A value in it has no rule.
    """
    try:
        return _digest(_call(subject))
    except RecursionError:
        name = _type_name(type(subject.function))
        raise MemoKeyError(name, "an argument", "it is too deep, or holds itself") from None


def _call(subject: Subject) -> Iterator[bytes]:
    yield b"1"  # the version of these rules
    yield subject.version.encode()
    yield _part(subject.function, "the function")
    for kind, name, value in _arguments(subject):
        if name not in subject.ignored:
            yield f"{kind} {name}".encode()
            yield _part(value, name)
    if "outputs" not in subject.ignored:
        yield from (file.url.encode() for file in subject.outputs)


def _arguments(subject: Subject) -> Iterator[tuple[str, str, object]]:
    """The arguments with their names, in one order for all spellings of the same call."""
    try:
        bound = inspect.signature(subject.function).bind(*subject.args, **subject.kwargs)
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
