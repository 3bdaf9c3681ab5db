"""What makes two values the same value: ``id_for_memo``, the rule for one value, by its type.

No rule depends on the process, the hash seed, or the order in which a set or dict was filled.
A rule for a type of your own::

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
import pathlib
import struct
import types
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import attrs

from lamina.codec import Shared
from lamina.memo.arrays import foreign_rule
from lamina.memo.files import file_rule
from lamina.vocabulary import File, LaminaError

__all__ = ["MemoKeyError", "digest", "id_for_memo", "part_of", "type_name"]

_SIZE = 20  # bytes of a digest: no two calls will ever meet by chance
_LARGE = 1 << 16  # bytes, of which no copy is made
_LENGTH = struct.Struct("<Q").pack
_EXACT = frozenset({int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset})


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


def type_name(kind: type) -> str:
    """The full name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


@functools.lru_cache(4096)
def _typed(kind: type) -> bytes:
    """The first of the two parts of which the digest of any value of this type is made."""
    name = type_name(kind).encode()
    return _LENGTH(len(name)) + name


def digest(parts: Iterable[bytes]) -> bytes:
    """One digest of many parts, each with its length, so that none can run into the next."""
    pieces: list[bytes] = []
    large = False
    for one in parts:
        pieces += (_LENGTH(len(one)), one)
        large = large or len(one) > _LARGE
    if not large:  # one call for all is three times as fast
        return hashlib.blake2b(b"".join(pieces), digest_size=_SIZE).digest()
    state = hashlib.blake2b(digest_size=_SIZE)
    for one in pieces:
        state.update(one)
    return state.digest()


def part_of(value: object, step: str) -> bytes:
    """The digest of a value inside another; ``step`` is how one gets to it from there."""
    kind: Any = type(value)  # mypy has types for unhashable
    try:
        content = id_for_memo.dispatch(value.__class__)(value)
    except MemoKeyError as error:
        raise MemoKeyError(error.type_name, step + error.path, error.why) from None
    size = len(content)
    if size > _LARGE:
        return digest((type_name(kind).encode(), content))
    # As digest() has it, at half the price: this is done for each value of each call.
    return hashlib.blake2b(
        b"".join((_typed(kind), _LENGTH(size), content)), digest_size=_SIZE
    ).digest()


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
    if (rule := foreign_rule(kind)) is not None:
        return rule(value, part_of)
    raise MemoKeyError(type_name(kind), "")


def _fields(value: object, names: Iterable[str]) -> bytes:
    def parts() -> Iterator[bytes]:
        for name in names:
            if hasattr(value, name):
                yield name.encode()
                yield part_of(getattr(value, name), f".{name}")

    return digest(parts())


def _builtin(rule: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """A rule that holds for subclasses too, unless they carry what the rule does not see."""

    @functools.wraps(rule)
    def careful(value: Any) -> bytes:
        kind = type(value)
        if kind in _EXACT:
            return rule(value)
        if isinstance(value, enum.Enum):
            return _enum(value)
        if dataclasses.is_dataclass(kind) or attrs.has(kind):
            raise MemoKeyError(type_name(kind), "", "it is a container with fields besides")
        if getattr(value, "__dict__", None) or _slots(value):
            raise MemoKeyError(type_name(kind), "", "it has attributes besides its content")
        return rule(value)

    return careful


def _slots(value: object) -> bool:
    return any(vars(one).get("__slots__") for one in type(value).__mro__)


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
    id_for_memo.register(_raw, _builtin(lambda value: digest((bytes(value),))))
id_for_memo.register(range, lambda value: repr(value).encode())
id_for_memo.register(Shared, lambda value: value.digest)
id_for_memo.register(File, file_rule)


@id_for_memo.register
def _date(value: datetime.date) -> bytes:
    return value.isoformat().encode()


@id_for_memo.register
def _datetime(value: datetime.datetime) -> bytes:
    if type(value).__name__ == "NaTType":  # pandas has it for a datetime, but it is none
        return b"NaT"
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
    return digest(
        part_of(part, steps[n] if steps and n < len(steps) else f"[{n}]")
        for n, part in enumerate(value)
    )


@id_for_memo.register(dict)
@_builtin
def _dict(value: Any) -> bytes:
    return digest(sorted(_pairs(value)))


def _pairs(value: dict[Any, Any]) -> list[bytes]:
    return [
        part_of(key, ".keys()") + part_of(part, f"[{str(key)[:40]!r}]")
        for key, part in value.items()
    ]


@id_for_memo.register(OrderedDict)
@_builtin
def _ordered_dict(value: Any) -> bytes:
    return digest(_pairs(value))  # two of them are equal only in the same order


@id_for_memo.register(defaultdict)
@_builtin
def _default_dict(value: Any) -> bytes:
    return digest((part_of(value.default_factory, ".default_factory"), *sorted(_pairs(value))))


@id_for_memo.register
def _mapping_proxy(value: types.MappingProxyType) -> bytes:  # type: ignore[type-arg]
    return _dict(dict(value))


@id_for_memo.register(set)
@id_for_memo.register(frozenset)
@_builtin
def _set(value: Any) -> bytes:
    return digest(sorted(part_of(part, "{…}") for part in value))


# Functions: by where they are defined and by what they do.

_NONE = part_of(None, "")

# Of defaults that are equal only where they are the same, as 0.0 and -0.0 are not.
_LASTING = frozenset({type(None), bool, int, str, bytes})

_VISITING: ContextVar[tuple[int, ...]] = ContextVar("visiting", default=())


@id_for_memo.register
def _function(value: types.FunctionType) -> bytes:
    defaults = value.__defaults__ or ()
    kinds = tuple(map(type, defaults))
    if value.__closure__ is None and value.__kwdefaults__ is None and _LASTING.issuperset(kinds):
        return _plain_function(
            value.__module__, value.__qualname__, value.__code__, value.__defaults__, kinds
        )
    name = _name_of(value)
    outer = _VISITING.get()
    if id(value) in outer:  # a closure that holds itself
        return name
    token = _VISITING.set((*outer, id(value)))
    try:
        return digest(
            (
                name,
                _code(value.__code__),
                part_of(value.__defaults__, ".__defaults__"),
                part_of(value.__kwdefaults__, ".__kwdefaults__"),
                *_cells(value),
            )
        )
    finally:
        _VISITING.reset(token)


def _name_of(function: types.FunctionType) -> bytes:
    return f"{function.__module__}.{function.__qualname__}".encode()


@functools.lru_cache(4096)
def _plain_function(
    module: str,
    name: str,
    code: types.CodeType,
    defaults: tuple[Any, ...] | None,
    kinds: tuple[type, ...],  # for True is 1 where a cache looks
) -> bytes:
    """What ``_function`` gives for one whose parts can never change."""
    named = f"{module}.{name}".encode()
    return digest((named, _code(code), part_of(defaults, ".__defaults__"), _NONE))


def _cells(function: types.FunctionType) -> Iterator[bytes]:
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet
            yield b""
            continue
        yield part_of(content, f" (the variable {name} of an enclosing function)")


@functools.lru_cache(4096)
def _code(code: types.CodeType) -> bytes:
    """A digest of what code does, whatever file and line it stands in.

    Of the code that runs, not of the source: that may have been edited since it was read.
    """
    constants = (
        _code(constant) if isinstance(constant, types.CodeType) else part_of(constant, "")
        for constant in code.co_consts
    )
    names = (*code.co_names, "", *code.co_varnames, "", *code.co_freevars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return digest(
        (code.co_code, repr(counts).encode(), *(name.encode() for name in names), *constants)
    )


@id_for_memo.register
def _partial(value: functools.partial) -> bytes:  # type: ignore[type-arg]
    return digest(
        (
            part_of(value.func, ".func"),
            part_of(value.args, ".args"),
            part_of(value.keywords, ".keywords"),
        )
    )


@id_for_memo.register
def _method(value: types.MethodType) -> bytes:
    return digest((part_of(value.__func__, ".__func__"), part_of(value.__self__, ".__self__")))


@id_for_memo.register(types.BuiltinFunctionType)
def _builtin_function(value: Any) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return f"{value.__module__}.{value.__qualname__}".encode()
    return digest((value.__qualname__.encode(), part_of(owner, ".__self__")))


@id_for_memo.register
def _class(value: type) -> bytes:
    return type_name(value).encode()
