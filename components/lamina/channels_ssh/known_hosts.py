"""Whether a host's key is one that is known: the files of OpenSSH, read.

A line is ``[marker] names type key``. Names are patterns with ``*``, ``?`` and ``!``, or one
name that is hashed. A port other than 22 belongs to the name: ``[host]:port``.
"""

import base64
import binascii
import enum
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

__all__ = [
    "SSH_PORT",
    "KnownKey",
    "Verdict",
    "fingerprint",
    "judge",
    "known_keys",
    "known_name",
    "line_for",
]

SSH_PORT = 22
_HASHED = re.compile(r"\|1\|(?P<salt>[^|]+)\|(?P<digest>[^|]+)")
_WORDS = 3  # of a line at least, a marker not counted


class Verdict(enum.Enum):
    """What is known of a key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    """No key of this host is known."""
    OTHER = "other"
    """The host is known by other keys."""
    REVOKED = "revoked"


class KnownKey(NamedTuple):
    """One key of one host."""

    kind: str
    blob: bytes
    revoked: bool


def known_name(host: str, port: int) -> str:
    """What the files call a host at a port."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def known_keys(lines: Iterable[str], name: str) -> list[KnownKey]:
    """The keys of the host of this name. Authorities that sign keys are not among them."""
    return list(_keys(lines, name.lower()))


def judge(keys: Iterable[KnownKey], kind: str, blob: bytes) -> Verdict:
    """What is known of the key that the host has shown."""
    found = list(keys)
    if any(key.revoked and key.blob == blob for key in found):
        return Verdict.REVOKED
    trusted = [key for key in found if not key.revoked]
    if any((key.kind, key.blob) == (kind, blob) for key in trusted):
        return Verdict.KNOWN
    return Verdict.OTHER if trusted else Verdict.UNKNOWN


def fingerprint(blob: bytes) -> str:
    """A key's fingerprint, as ``ssh-keygen -l`` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def line_for(name: str, kind: str, blob: bytes) -> str:
    """The line that makes a key known."""
    return f"{name} {kind} {base64.b64encode(blob).decode()}"


def _keys(lines: Iterable[str], name: str) -> Iterator[KnownKey]:
    for line in lines:
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < _WORDS or words[0].startswith("#") or marker not in ("", "@revoked"):
            continue
        names, kind, key = words[:3]
        if not _names(names, name):
            continue
        try:
            yield KnownKey(kind, base64.b64decode(key, validate=True), bool(marker))
        except binascii.Error:
            continue


def _names(patterns: str, name: str) -> bool:
    hashed = _HASHED.fullmatch(patterns)
    if hashed is not None:
        try:
            salt, digest = base64.b64decode(hashed["salt"]), base64.b64decode(hashed["digest"])
        except binascii.Error:
            return False
        return hmac.compare_digest(hmac.new(salt, name.encode(), "sha1").digest(), digest)
    found = False
    for pattern in patterns.lower().split(","):
        wanted = not pattern.startswith("!")
        # A bracket is one in these patterns, and not a set of characters.
        if fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if not wanted:
                return False
            found = True
    return found
