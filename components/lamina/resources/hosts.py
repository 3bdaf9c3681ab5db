"""Lists of hosts, as batch systems and people write them."""

from typing import NamedTuple

from lamina.vocabulary import ConfigError

__all__ = ["Host", "expand", "read_hostfile", "read_tasks_per_node"]


class Host(NamedTuple):
    """A node of a block, and how many ranks it takes."""

    name: str
    slots: int


def expand(text: str) -> list[str]:
    """The names in Slurm's short form: ``n[1-3,07],login`` is n1, n2, n3, n07 and login.

    Raises:
        ConfigError: It cannot be read.
    """
    names: list[str] = []
    for part in _split(text):
        names += _expanded(part, text)
    return names


def _split(text: str) -> list[str]:
    """At the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text.strip():
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part]


def _expanded(part: str, text: str) -> list[str]:
    before, bracket, rest = part.partition("[")
    if not bracket:
        return [part]
    inside, end, after = rest.partition("]")
    if not end:
        raise _unreadable(text)
    tails = _expanded(after, text) if after else [""]
    found = []
    for piece in inside.split(","):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise _unreadable(text)
        numbers = range(int(first), int(last or first) + 1)
        found += [f"{before}{n:0{len(first)}d}{tail}" for n in numbers for tail in tails]
    return found


def _unreadable(text: str) -> ConfigError:
    return ConfigError(f"{text!r} is no list of nodes; one looks like 'n[1-3,7],login'")


def read_tasks_per_node(text: str, nodes: int) -> list[int]:
    """Slurm's counts for so many nodes: ``4(x2),3`` is 4, 4 and 3.

    Raises:
        ConfigError: It cannot be read, or is not for so many.
    """
    counts: list[int] = []
    for part in text.strip().split(","):
        count, times, rest = part.partition("(x")
        often = rest.removesuffix(")") if times else "1"
        if not count.isdecimal() or not often.isdecimal():
            msg = f"{text!r} is no list of counts; one looks like '4(x2),3'"
            raise ConfigError(msg)
        counts += [int(count)] * int(often)
    if len(counts) != nodes:
        msg = f"{text!r} is for {len(counts)} nodes, and the block has {nodes}"
        raise ConfigError(msg)
    return counts


def read_hostfile(text: str, slots: int) -> list[Host]:
    """The hosts of a hostfile; those that say no number take ``slots``.

    A line is a name, and perhaps a number after a colon or as ``slots=``; ``#`` begins a
    comment. A name that stands there several times, as in PBS's file, takes as many ranks.

    Raises:
        ConfigError: A line cannot be read, or there is none.
    """
    named: dict[str, list[int | None]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        name, _, number = words[0].partition(":")
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if equals and key == "slots":
                number = value
        if not name or (number and not (number.isdecimal() and int(number))):
            msg = f"a hostfile has the line {line!r}; write a name, or 'name slots=4'"
            raise ConfigError(msg)
        named.setdefault(name, []).append(int(number) if number else None)
    if not named:
        msg = "a hostfile names no host; write one to a line"
        raise ConfigError(msg)
    return [Host(name, _slots(numbers, slots)) for name, numbers in named.items()]


def _slots(numbers: list[int | None], default: int) -> int:
    if numbers == [None]:
        return default
    return sum(number or 1 for number in numbers)
