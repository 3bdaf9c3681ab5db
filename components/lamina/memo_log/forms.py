"""What is in the frames: the words of a log's first record, and results.

A HEADER is JSON: what wrote the log, and when. A RESULT is a small fixed part, which is all that
an index needs, then words in JSON, then the buffers of the codec::

    at        8 bytes   float, seconds since the epoch
    form      1 byte    0 a value, 1 an exception
    key size  1 byte
    name size 2 bytes
    word size 4 bytes
    key       key size bytes
    function  name size bytes, UTF-8: the qualified name of what was called
    words     word size bytes, JSON (see _words)
    buffers   the rest: for each 8 bytes of size and the bytes

In a BESIDE the rest is the name of the file that holds the buffers: their digest, in hexadecimal.
"""

import functools
import json
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from lamina.memo import CallPrint, Form, OutputMark, StoredResult

__all__ = [
    "BESIDE",
    "HEADER",
    "RESULT",
    "Brief",
    "Header",
    "joined",
    "read_brief",
    "read_header",
    "read_result",
    "split",
    "write_header",
    "write_result",
]

HEADER, RESULT, BESIDE = 1, 2, 3
"""Kinds of frames. A reader skips kinds that it does not know."""

_FIXED = struct.Struct("<dBBHI")
_SIZE = struct.Struct("<Q")
_encode = json.JSONEncoder(separators=(",", ":")).encode
_quoted = functools.lru_cache(4096)(json.dumps)  # names, of which there are few
_FORMS: tuple[Form, ...] = ("value", "error")


class Header(NamedTuple):
    """What wrote a log."""

    log: str
    """A name that no other log has."""
    began: float
    """Seconds since the epoch."""
    host: str
    process: str
    """Identity of the process, as ``lamina.processes`` writes it."""
    lamina: int = 1


class Brief(NamedTuple):
    """As much of a result as an index needs."""

    key: bytes
    at: float
    function: str


def write_header(header: Header) -> bytes:
    """The body of a log's first frame."""
    return json.dumps(header._asdict()).encode()


def read_header(body: bytes) -> Header | None:
    """What a body says; None where it makes no sense."""
    try:
        words = json.loads(body)
        return Header(
            str(words["log"]), float(words["began"]), str(words["host"]), str(words["process"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def write_result(result: StoredResult, rest: bytes) -> bytes:
    """The body of a result; ``rest`` is its buffers, joined, or where they are."""
    words = _words(result).encode()
    made_of = result.made_of
    function = b"" if made_of is None else made_of.function.encode("utf-8", "replace")[:65535]
    key = result.key
    fixed = _FIXED.pack(result.at, _FORMS.index(result.form), len(key), len(function), len(words))
    return b"".join((fixed, key, function, words, rest))


def read_brief(body: bytes) -> Brief | None:
    """What an index needs of a result; None where the body makes no sense."""
    if len(body) < _FIXED.size:
        return None
    at, form, key_size, name_size, _ = _FIXED.unpack_from(body)
    start = _FIXED.size + key_size
    if form >= len(_FORMS) or start + name_size > len(body):
        return None
    return Brief(
        body[_FIXED.size : start], at, body[start : start + name_size].decode("utf-8", "replace")
    )


def read_result(body: bytes) -> tuple[StoredResult, bytes] | None:
    """A result without its data, and the rest of the body; None where it makes no sense."""
    brief = read_brief(body)
    if brief is None:
        return None
    _, form, key_size, name_size, word_size = _FIXED.unpack_from(body)
    start = _FIXED.size + key_size + name_size
    try:
        words = json.loads(body[start : start + word_size])
        made_of = words.get("call")
        result = StoredResult(
            brief.key,
            str(words["name"]),
            brief.at,
            _FORMS[form],
            (),
            tuple(OutputMark(str(u), int(s), int(m)) for u, s, m in words.get("outputs", ())),
            None if made_of is None else _call(brief.function, made_of),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return result, body[start + word_size :]


def _words(result: StoredResult) -> str:
    """The words, put together by hand: an encoder takes four times as long for each task."""
    words = f'"name":{_quoted(result.name)}'
    if result.outputs:
        words += f',"outputs":{_encode(result.outputs)}'
    made_of = result.made_of
    if made_of is not None:
        _, code, version, arguments, outputs = made_of
        pairs = ",".join([f'[{_quoted(name)},"{value.hex()}"]' for name, value in arguments])
        words += f',"call":["{code.hex()}",{_quoted(version)},[{pairs}],"{outputs.hex()}"]'
    return f"{{{words}}}"


def _call(function: str, words: Any) -> CallPrint:
    code, version, arguments, outputs = words
    return CallPrint(
        function,
        bytes.fromhex(code),
        str(version),
        tuple((str(name), bytes.fromhex(value)) for name, value in arguments),
        bytes.fromhex(outputs),
    )


def joined(buffers: Sequence[bytes | bytearray | memoryview]) -> bytes:
    """Buffers as one piece, each with its size."""
    if len(buffers) == 1 and type(buffers[0]) is bytes:
        return _SIZE.pack(len(buffers[0])) + buffers[0]
    parts: list[bytes | bytearray | memoryview] = []
    for buffer in buffers:
        view = memoryview(buffer)
        parts += (_SIZE.pack(view.nbytes), view)
    return b"".join(parts)


def split(data: bytes) -> list[memoryview] | None:
    """The buffers of one piece; None where the sizes make no sense."""
    view, at = memoryview(data), 0
    buffers = []
    while at < len(data):
        if len(data) - at < _SIZE.size:
            return None
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if size > len(data) - at:
            return None
        buffers.append(view[at : at + size])
        at += size
    return buffers
