"""Whether a batch system answers, and when it may be asked again."""

import attrs

__all__ = ["LONGEST_PAUSE", "Health"]

LONGEST_PAUSE = 600.0  # seconds between two questions, however long it has been silent


@attrs.define
class Health:
    """One batch system's. Times are seconds on one monotonic clock.

    A failure is news once, and so is the recovery.
    """

    why: str = attrs.field(default="", init=False)
    """Why it is silent; empty while it answers."""
    since: float = attrs.field(default=0.0, init=False)
    """Since when it is silent."""
    not_before: float = attrs.field(default=0.0, init=False)
    """When it may be asked again."""
    _failures: int = attrs.field(default=0, init=False)

    @property
    def silent(self) -> bool:
        """Whether the last question went unanswered."""
        return bool(self.why)

    def answered(self) -> bool:
        """It gave an answer; True if that is news."""
        news = self.silent
        self.why, self._failures, self.not_before = "", 0, 0.0
        return news

    def failed(self, now: float, why: str, interval: float, chance: float) -> bool:
        """It gave none; True if that is news.

        The pause doubles with each failure, and ``chance``, in [0, 1), takes up to a quarter
        off, so that the programs of many users do not come back at the same moment.
        """
        news = not self.silent
        if news:
            self.since = now
        self.why = why or "no reason given"
        pause = min(LONGEST_PAUSE, interval * 2.0 ** min(self._failures, 20))
        self.not_before = now + pause * (1.0 - chance / 4)
        self._failures += 1
        return news
