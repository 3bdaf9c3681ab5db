"""Jobs that are to end, until the provider has heard it."""

from collections.abc import Collection, Iterable

from lamina.providers import Provider, ProviderError
from lamina.vocabulary import JobId

__all__ = ["Cancelling"]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries


class Cancelling:
    """One executor's. Times are seconds on one monotonic clock; one thread uses it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._left: dict[JobId, None] = {}
        self._pause = FIRST_PAUSE
        self._not_before = 0.0

    @property
    def left(self) -> Collection[JobId]:
        """Those that it has not been heard of, in the order in which they came."""
        return tuple(self._left)

    @property
    def due(self) -> float | None:
        """When to try again; None where there is nothing to do."""
        return self._not_before if self._left else None

    def add(self, jobs: Iterable[JobId]) -> None:
        """These are to end as well."""
        self._left.update(dict.fromkeys(jobs))

    def attempt(self, now: float, *, hurry: bool = False) -> None:
        """Try, if it is time or there is a hurry; after a failure the pause is doubled.

        Raises:
            ProviderError: There was no answer; all of them are left.
        """
        if not self._left or (now < self._not_before and not hurry):
            return
        try:
            self._provider.cancel(self.left)
        except ProviderError:
            self._not_before = now + self._pause
            self._pause = min(LONGEST_PAUSE, 2 * self._pause)
            raise
        self._left.clear()
        self._pause, self._not_before = FIRST_PAUSE, 0.0
