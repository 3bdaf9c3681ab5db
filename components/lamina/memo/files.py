"""How a ``File`` among the arguments counts: by its name, or by what is in it as well."""

import hashlib
import os
from collections.abc import Collection
from contextvars import ContextVar
from typing import Literal, TypeAlias, get_args

from lamina.vocabulary import ConfigError, File, FileNotLocalError

__all__ = ["FilePolicy", "check_policy", "counting_files", "file_rule"]

FilePolicy: TypeAlias = Literal["name", "stat", "content"]
"""``"name"``: the URL alone. ``"stat"``: also size and time of change, where it is a file here.
``"content"``: also a digest of all of it, which reads it at each call."""

_NONE: frozenset[File] = frozenset()
_POLICY: ContextVar[tuple[FilePolicy, Collection[File]]] = ContextVar(
    "file_policy", default=("name", _NONE)
)
_CHUNK = 1 << 20  # bytes


def check_policy(policy: object, what: str) -> None:
    """See that it is one of the policies.

    Raises:
        ConfigError: It is not; ``what`` is what the text calls it.
    """
    if policy not in get_args(FilePolicy):
        choice = ", ".join(map(repr, get_args(FilePolicy)))
        msg = f"{what} is {policy!r:.100}; it must be one of {choice}"
        raise ConfigError(msg)


class counting_files:  # noqa: N801 - used as a function is; contextmanager costs thrice as much
    """Have ``id_for_memo`` count files so, within; of those that the call makes, the name alone."""

    __slots__ = ("_counted", "_token")

    def __init__(self, policy: FilePolicy, made: Collection[File] = _NONE) -> None:
        self._counted = (policy, made)

    def __enter__(self) -> None:
        self._token = _POLICY.set(self._counted)

    def __exit__(self, *_: object) -> None:
        _POLICY.reset(self._token)


def file_rule(file: File) -> bytes:
    """The rule of ``id_for_memo`` for a File. One that is not there counts by name.

    The checksum and the size that were asked for are part of that name: where another content is
    asked for under the same URL, the result may be another.
    """
    name = file.url.encode("utf-8", "surrogateescape")
    if file.checksum is not None or file.size is not None:
        name = b"%b\0%b\0%b" % (name, str(file.checksum).encode(), str(file.size).encode())
    policy, made = _POLICY.get()
    if policy == "name" or file in made:
        return name
    try:
        path = file.filepath
        if policy == "content" and os.path.isfile(path):
            return b"%b\0%b" % (name, _content(path))
        status = os.stat(path)
    except (OSError, FileNotLocalError):
        return name
    return b"%b\0%d %d" % (name, status.st_size, status.st_mtime_ns)


def _content(path: str) -> bytes:
    state = hashlib.blake2b(digest_size=20)
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.digest()
