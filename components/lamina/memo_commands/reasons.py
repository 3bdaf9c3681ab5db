"""Why a call was computed and not found: what was recorded before it, compared with it."""

from collections.abc import Iterable, Sequence

from lamina.memo import StoredResult, differences

__all__ = ["why_computed"]


def why_computed(result: StoredResult, own: str, before: Iterable[tuple[str, StoredResult]]) -> str:
    """Why a result that is in the log of the run ``own`` was computed, given what was there.

    ``before`` has the run of each, in any order; only two of them are held at once. What it
    cannot know is whether a run began with those results.
    """
    made_of = result.made_of
    if made_of is None:
        return "its key does not say what it was made of"
    same: tuple[str, StoredResult] | None = None
    best: tuple[Sequence[str], str, StoredResult] | None = None
    for run, other in before:
        if other.key == result.key:
            if same is None or other.at >= same[1].at:
                same = run, other
        elif other.made_of is not None and other.made_of.function == made_of.function:
            differing = differences(made_of, other.made_of)
            # Of those that differ in as much one of another run, which is what this one began
            # with and its author thinks of; and of these the latest.
            rank = (len(differing), run == own, -other.at)
            if best is None or rank <= (len(best[0]), best[1] == own, -best[2].at):
                best = differing, run, other
    if same is not None:
        return _again(result, *same)
    if best is None:
        return f"no call of {made_of.function} had been recorded"
    differing, run, other = best
    what = "; ".join(differing) or "an argument differs in a way that is not recorded"
    return f"compared with {other.key.hex()[:12]} of run {run}, the most similar before, {what}"


def _again(result: StoredResult, run: str, other: StoredResult) -> str:
    if other.form == "error":
        return f"run {run} had recorded an exception for it"
    changed = [
        then.url for then, now in zip(other.outputs, result.outputs, strict=False) if then != now
    ]
    if changed:
        return (
            f"run {run} had recorded it, and its output {changed[0]} was no longer as it had been"
        )
    return (
        f"run {run} had recorded it; either this run did not begin with that one, or both ran at "
        "the same time, or the record could not be read"
    )
