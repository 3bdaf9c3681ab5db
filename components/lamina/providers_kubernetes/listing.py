"""The last answer to the one question about all pods, and when it may be asked again."""

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["LONGEST_PAUSE", "Listing"]

LONGEST_PAUSE = 600.0  # seconds between two questions, however long there was no answer
_EARLY = 0.9  # of an interval; whoever asks a little early must not wait for another whole one


@attrs.define
class Listing:
    """One cluster's. Times are seconds on one monotonic clock."""

    pods: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, init=False)
    """By name."""
    why: str = attrs.field(default="", init=False)
    """Why there is no answer; empty while there is."""
    _asked: float | None = attrs.field(default=None, init=False)
    _not_before: float = attrs.field(default=0.0, init=False)
    _failures: int = attrs.field(default=0, init=False)

    def due(self, now: float, interval: float) -> bool:
        """Whether to ask, for somebody who wants to know once in ``interval`` seconds."""
        if now < self._not_before:
            return False
        return self._asked is None or now - self._asked >= _EARLY * interval or bool(self.why)

    def answered(self, now: float, pods: Mapping[str, Mapping[str, Any]]) -> None:
        """These are all."""
        self._asked, self.pods, self.why, self._failures = now, pods, "", 0

    def failed(self, now: float, why: str, interval: float, chance: float) -> None:
        """There was no answer. The pause doubles; ``chance`` takes up to a quarter off it."""
        pause = min(LONGEST_PAUSE, interval * 2.0 ** min(self._failures, 20))
        self.why, self._failures = why or "no reason given", self._failures + 1
        self._not_before = now + pause * (1.0 - chance / 4)
