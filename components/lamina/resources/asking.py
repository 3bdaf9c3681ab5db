"""What a task asks for, as it goes over the wire."""

from collections.abc import Mapping
from typing import Any

from lamina.vocabulary import Resources

__all__ = ["in_words", "read_wanted", "write_wanted"]

_FIELDS = ("cores", "memory", "accelerators", "nodes", "ranks")


def write_wanted(wanted: Resources) -> dict[str, Any]:
    """A plain mapping of what is more than nothing."""
    said: dict[str, Any] = {name: amount for name in _FIELDS if (amount := getattr(wanted, name))}
    if wanted.extra:
        said["extra"] = dict(wanted.extra)
    return said


def read_wanted(said: Mapping[str, Any]) -> Resources:
    """The resources of such a mapping; a field that nobody knows yet is ignored."""
    known = {name: said[name] for name in (*_FIELDS, "extra") if name in said}
    return Resources(**known)


def in_words(said: Mapping[str, Any]) -> str:
    """For messages: ``2 cores, 1 accelerators``."""
    words = [f"{amount:g} {name}" for name, amount in said.items() if name in _FIELDS]
    words += [f"{key}={value}" for key, value in said.get("extra", {}).items()]
    return ", ".join(words) or "nothing"
