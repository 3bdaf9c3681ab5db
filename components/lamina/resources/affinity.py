"""Which cores belong to which worker of a node.

``cpu_affinity`` is one of these:

    none                 no worker is bound to cores
    block                neighbouring cores to each worker, in order
    block-reverse        the same from the last core down
    alternating          every n-th core to a worker, where there are n workers
    list:0,1:2,4-5       these to the first worker, those to the second, and so on
"""

from collections.abc import Sequence

from lamina.vocabulary import ConfigError

__all__ = ["check_affinity", "cores_of_workers", "listed_cores", "preferred_order"]

_WAYS = ("none", "block", "block-reverse", "alternating")


def check_affinity(affinity: object) -> None:
    """Refuse what is none of the above.

    Raises:
        ConfigError: It says what would do.
    """
    if not isinstance(affinity, str) or affinity not in _WAYS:
        if isinstance(affinity, str) and affinity.startswith("list:"):
            listed_cores(affinity)
            return
        ways = ", ".join(map(repr, _WAYS))
        msg = f"cpu_affinity is {affinity!r}; it must be one of {ways} or 'list:0,1:2,4-5'"
        raise ConfigError(msg)


def listed_cores(affinity: str) -> list[tuple[int, ...]]:
    """The cores of each worker, as ``list:`` has them.

    Raises:
        ConfigError: It cannot be read.
    """
    groups = []
    for group in affinity.removeprefix("list:").split(":"):
        cores: list[int] = []
        for part in group.split(","):
            first, dash, last = part.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                msg = (
                    f"cpu_affinity is {affinity!r}, where {part!r} is no core; write numbers and "
                    "ranges, as in 'list:0,1:2,4-5', a group for each worker"
                )
                raise ConfigError(msg)
            cores += range(int(first), int(last or first) + 1)
        if not cores:
            msg = f"cpu_affinity is {affinity!r}, where a range is empty; write the lower one first"
            raise ConfigError(msg)
        groups.append(tuple(dict.fromkeys(cores)))
    return groups


def cores_of_workers(
    affinity: str, cores: Sequence[int], workers: int
) -> list[tuple[int, ...]] | None:
    """The cores of each of so many workers; None where none is bound.

    What does not divide evenly is left over, except that each worker has one core at least, so
    that several share one where there are more workers than cores.

    Raises:
        ConfigError: A list names cores that this node has not.
    """
    if affinity == "none":
        return None
    if affinity.startswith("list:"):
        groups = listed_cores(affinity)
        missing = sorted({core for group in groups for core in group} - set(cores))
        if missing:
            msg = (
                f"cpu_affinity is {affinity!r}, but core {missing[0]} is none of those that may "
                f"be used here: {', '.join(map(str, cores))}"
            )
            raise ConfigError(msg)
        return groups[:workers]
    ordered = preferred_order(affinity, cores)
    each = len(ordered) // workers
    if each == 0:
        return [(ordered[n % len(ordered)],) for n in range(workers)]
    if affinity == "alternating":
        return [tuple(ordered[n::workers][:each]) for n in range(workers)]
    return [tuple(ordered[n * each : (n + 1) * each]) for n in range(workers)]


def preferred_order(affinity: str, cores: Sequence[int]) -> list[int]:
    """The order in which cores are given to tasks that ask for some."""
    if affinity.startswith("list:"):
        named = [core for group in listed_cores(affinity) for core in group]
        return list(dict.fromkeys(core for core in named if core in set(cores)))
    return sorted(cores, reverse=affinity == "block-reverse")
