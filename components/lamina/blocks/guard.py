"""How many blocks may be asked for now, whoever wants them."""

from collections import deque

import attrs

from lamina.scaling import Guards

__all__ = ["Guard"]

MINUTE = 60.0  # seconds
LONGEST_PAUSE = 60.0  # seconds, after a block that died young
LONGEST_SILENCE = 600.0  # seconds between two requests to a batch system that takes none
BREAK = 600.0  # seconds between two blocks while the breaker is open
UNLIMITED = 2**31


@attrs.define
class Guard:
    """One executor's. Times are seconds on one monotonic clock."""

    rules: Guards
    first: int
    """Initial blocks, which are asked for at once."""
    retry: float
    """Seconds until a request that was not taken is repeated; doubled with each that follows."""
    _asked: deque[float] = attrs.field(factory=deque, init=False)
    _total: int = attrs.field(default=0, init=False)
    _in_a_row: int = attrs.field(default=0, init=False)
    _short: int = attrs.field(default=0, init=False)
    _untaken: int = attrs.field(default=0, init=False)
    _not_before: float = attrs.field(default=0.0, init=False)
    _last_words: str = attrs.field(default="", init=False)

    @property
    def open(self) -> bool:
        """Whether so many blocks in a row have died young that no more should be asked for."""
        return self.rules.max_young is not None and self._in_a_row >= self.rules.max_young

    @property
    def not_before(self) -> float:
        """When a pause ends that was made after a block or a request went wrong."""
        return self._not_before

    def allowance(self, now: float) -> int:
        """So many blocks may be asked for now."""
        if now < self._not_before:
            return 0
        while self._asked and now - self._asked[0] >= MINUTE:
            self._asked.popleft()
        limits: list[int] = []
        rate, most = self.rules.submissions_per_minute, self.rules.max_submissions
        if rate is not None:
            first = self.first if self._total < self.first else 0
            limits.append(max(rate, first) - len(self._asked))
        if most is not None:
            limits.append(most - self._total)
        if self.open or self._untaken:
            limits.append(1)  # to see whether it fares better
        return max(0, min(limits, default=UNLIMITED))

    def asked(self, now: float) -> None:
        """A block has been asked for."""
        self._asked.append(now)
        self._total += 1
        if self.open:
            self._not_before = now + BREAK

    def unasked(self) -> None:
        """The last one after all was not."""
        if self._asked:
            self._asked.pop()
        self._total -= 1

    def taken(self) -> None:
        """The provider has taken a request."""
        self._untaken = 0

    def untaken(self, now: float) -> None:
        """It has not taken one, and may take it later."""
        pause = min(LONGEST_SILENCE, self.retry * 2.0 ** min(self._untaken, 20))
        self._untaken += 1
        self._not_before = max(self._not_before, now + pause)

    def proved(self) -> None:
        """A block has lasted."""
        self._in_a_row = self._short = 0

    def died_young(self, now: float, blame: str) -> None:
        """A block has died young that nobody here has told to; ``blame`` says how.

        Where that is empty, the executor is not to blame, and it costs a pause at most.
        """
        if self._short:  # one alone may be an accident
            pause = min(LONGEST_PAUSE, self.rules.pause * 2.0 ** min(self._short - 1, 20))
            self._not_before = max(self._not_before, now + pause)
        self._short += 1
        if blame:
            self._in_a_row += 1
            self._last_words = blame
            if self.open:
                self._not_before = now + BREAK

    def why_never(self, now: float) -> str:
        """Why an executor that has no block will not get one; nothing if it may."""
        most = self.rules.max_submissions
        if self.open and now < self._not_before:
            return (
                f"{self._in_a_row} blocks in a row died young, with no node that lasted "
                f"{self.rules.young:g} s, and max_young is {self.rules.max_young}; the last, "
                f"{self._last_words}"
            )
        if most is not None and self._total >= most:
            return (
                f"{self._total} blocks have been asked for, and max_submissions is {most}; make "
                "that larger in guards= if the run is just long"
            )
        return ""
