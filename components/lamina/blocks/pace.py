"""How long tasks take, learnt by counting alone: no task is looked at by itself."""

import attrs

__all__ = ["Pace"]

HALF_LIFE = 300.0  # seconds after which what was seen counts half


@attrs.define
class Pace:
    """Slots that were busy, times how long, over the tasks that ended meanwhile.

    Times are seconds on one monotonic clock. What happens between two looks is taken to have
    been as at the first of them.
    """

    _at: float | None = attrs.field(default=None, init=False)
    _busy: int = attrs.field(default=0, init=False)
    _finished: int = attrs.field(default=0, init=False)
    _spent: float = attrs.field(default=0.0, init=False)
    _ended: float = attrs.field(default=0.0, init=False)

    def look(self, now: float, busy: int, finished: int) -> None:
        """So many slots are busy now, and so many tasks have ended since the start."""
        if self._at is not None and now > self._at:
            passed = now - self._at
            kept = 0.5 ** (passed / HALF_LIFE)
            self._spent = self._spent * kept + self._busy * passed
            self._ended = self._ended * kept + max(0, finished - self._finished)
        self._at, self._busy, self._finished = now, busy, finished

    @property
    def task_seconds(self) -> float | None:
        """The mean duration of a task; None while too few have ended to tell."""
        if self._ended < 1.0 or self._spent <= 0.0:
            return None
        return self._spent / self._ended
