"""Things that can be told apart and that may be shared: cores that are pinned, accelerators."""

from collections.abc import Sequence
from math import ceil

import attrs

__all__ = ["Share", "Units"]

Share = tuple[int, float]
"""The index of a unit, and how much of it."""

_DUST = 1e-9  # what adding and subtracting fractions may leave


@attrs.define(eq=False)
class Units:
    """So many units, each of which may be given away whole or in parts.

    What belongs to places is counted apart from what tasks asked for, because the former is
    held by workers for as long as they like, and only the latter is sure to come back.
    """

    count: int
    _used: list[float] = attrs.field(init=False)
    _due: list[float] = attrs.field(init=False)
    """Of that, what places hold."""

    def __attrs_post_init__(self) -> None:
        self._used = [0.0] * self.count
        self._due = [0.0] * self.count

    def take(self, amount: float) -> list[Share] | None:
        """Any units: a part of one below 1, above it whole ones. None when too few are free."""
        if amount <= 0:
            return []
        if amount < 1:
            # The fullest that has room, so that whole ones stay whole.
            fits = [n for n, used in enumerate(self._used) if used + amount <= 1 + _DUST]
            if not fits:
                return None
            best = max(fits, key=lambda n: (self._used[n], -n))
            self._used[best] += amount
            return [(best, amount)]
        free = [n for n, used in enumerate(self._used) if used <= _DUST]
        wanted = ceil(amount - _DUST)
        if len(free) < wanted:
            return None
        for n in free[:wanted]:
            self._used[n] = 1.0
        return [(n, 1.0) for n in free[:wanted]]

    def take_due(self, shares: Sequence[Share]) -> bool:
        """Just these, for a place; False, and nothing taken, when one of them is not free."""
        if any(self._used[n] + share > 1 + _DUST for n, share in shares):
            return False
        for n, share in shares:
            self._used[n] += share
            self._due[n] += share
        return True

    def give_back(self, shares: Sequence[Share], *, due: bool = False) -> None:
        """They are free again."""
        for n, share in shares:
            self._used[n] = _settled(self._used[n] - share)
            if due:
                self._due[n] = _settled(self._due[n] - share)

    def leave_room(self, amount: float, shares: Sequence[Share]) -> bool:
        """Whether so much could be taken beside what places hold, if these were theirs too."""
        if amount <= 0:
            return True
        due = list(self._due)
        for n, share in shares:
            due[n] += share
        if amount < 1:
            return any(held + amount <= 1 + _DUST for held in due)
        return sum(held <= _DUST for held in due) >= ceil(amount - _DUST)


def _settled(used: float) -> float:
    return used if used > _DUST else 0.0
