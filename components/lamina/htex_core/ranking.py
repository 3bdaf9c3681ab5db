"""Who is first, by ranks that change."""

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["SPARE", "Ranking"]

SPARE = 64  # entries that may be out of date before a ranking is made anew


class Ranking:
    """Who is first, by a rank that changes; among equals who got the rank first.

    A heap in which what is out of date stays until it comes to the top, or until there is too
    much of it: so a change costs the logarithm of their number.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, str]] = []
        self._valid: dict[str, tuple[Any, int, str]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._valid)

    def put(self, uid: str, rank: Any) -> None:
        """Give somebody a rank, or another one."""
        entry = self._valid.get(uid)
        if entry is not None and entry[0] == rank:
            return
        self._count += 1
        self._valid[uid] = entry = (rank, self._count, uid)
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._valid) + SPARE:
            self._heap = list(self._valid.values())
            heapq.heapify(self._heap)

    def drop(self, uid: str) -> None:
        """Somebody has no rank any more."""
        self._valid.pop(uid, None)

    def first(self) -> str:
        """The one with the lowest rank; there must be one."""
        heap, valid = self._heap, self._valid
        while valid.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
        return heap[0][2]

    def rank(self, uid: str) -> Any:
        """The rank of one that has one."""
        return self._valid[uid][0]

    def best(self, suits: Callable[[str], bool]) -> str | None:
        """The first that suits; costs more for each one before it that does not."""
        passed: list[tuple[Any, int, str]] = []
        found: str | None = None
        while found is None and self._heap:
            entry = self._heap[0]
            if self._valid.get(entry[2]) is not entry:
                heapq.heappop(self._heap)
            elif suits(entry[2]):
                found = entry[2]
            else:
                passed.append(heapq.heappop(self._heap))
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found
