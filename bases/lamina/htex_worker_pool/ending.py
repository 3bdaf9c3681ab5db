"""When the block of a manager ends, from what its configuration and its environment say."""

from collections.abc import Iterator, Mapping

__all__ = ["block_end"]


def block_end(
    environ: Mapping[str, str], walltime: float | None, wall: float, now: float
) -> float | None:
    """When the block ends, on the clock that shows ``now``; None where nobody says so.

    ``walltime`` is the provider's, in seconds, and counts from now: the block has begun before,
    by as long as it took to get here. ``wall`` is now in seconds since the epoch. What says the
    earliest time is believed.
    """
    return min(_ends(environ, walltime, wall, now), default=None)


def _ends(
    environ: Mapping[str, str], walltime: float | None, wall: float, now: float
) -> Iterator[float]:
    if walltime is not None:
        yield now + walltime
    if (at := _number(environ.get("SLURM_JOB_END_TIME"))) is not None:
        yield now + at - wall
    # Torque's, and that of PBS where a site sets it: what was asked for, in seconds.
    if (asked := _number(environ.get("PBS_WALLTIME"))) is not None:
        yield now + asked


def _number(text: str | None) -> float | None:
    """A number above 0; None for anything else, which says nothing."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
