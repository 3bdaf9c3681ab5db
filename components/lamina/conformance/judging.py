"""The kit of BlockErrorPolicy."""

import itertools
from collections.abc import Iterator

from lamina.conformance.clauses import Kit, clause, expect
from lamina.scaling import BlockErrorPolicy, Ending

__all__ = ["BLOCK_ERROR_POLICY"]

EVERY = 30.0  # seconds between two endings


def _story(signs: tuple[bool, ...]) -> tuple[Ending, ...]:
    return tuple(
        Ending(
            block=str(number),
            at=number * EVERY,
            state="failed" if bad else "timeout",
            bad=bad,
            exit_code=1 if bad else None,
            lived=None if bad else 3600.0,
        )
        for number, bad in enumerate(signs)
    )


def _stories() -> Iterator[tuple[Ending, ...]]:
    for count in range(7):
        for signs in itertools.product((False, True), repeat=count):
            yield _story(signs)
    yield _story((True,) * 1000)


@clause("errors.text")
def _text(policy: BlockErrorPolicy) -> None:
    """It answers every story with text: why the executor should fail, or nothing."""
    for story in _stories():
        verdict = policy.verdict(story, len(story) * EVERY)
        expect(isinstance(verdict, str), else_say=f"{verdict!r} for {len(story)} endings")


@clause("errors.innocent")
def _innocent(policy: BlockErrorPolicy) -> None:
    """Without a bad ending there is nothing to fail for."""
    for count in (0, 1, 5, 1000):
        verdict = policy.verdict(_story((False,) * count), count * EVERY)
        expect(not verdict, else_say=f"{verdict!r} for {count} good ones")


@clause("errors.stateless")
def _stateless(policy: BlockErrorPolicy) -> None:
    """The same story gets the same verdict, whatever was asked between."""
    stories = [(story, len(story) * EVERY) for story in _stories()]
    first = [policy.verdict(*story) for story in stories]
    again = [policy.verdict(*story) for story in reversed(stories)]
    expect(first == again[::-1], else_say="another verdict the second time")


BLOCK_ERROR_POLICY = Kit(
    "block_error_policies", "BlockErrorPolicy", 2, (_text, _innocent, _stateless)
)
