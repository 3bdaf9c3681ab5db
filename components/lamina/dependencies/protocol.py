"""Which futures hide in the arguments of a call."""

from concurrent.futures import Future
from typing import Any, Protocol

__all__ = ["DependencyResolver"]


class DependencyResolver(Protocol):
    """**Protocol:** finds the futures in one argument, and puts their results in their place.

    Called for each positional argument, each keyword's value and each element of ``inputs``.
    Both run on the thread of the caller or on one of the kernel's that may be delayed.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def gather(self, argument: object) -> list[Future[Any]]:
        """All futures in the argument, in a stable order.

        Raises:
            Exception: It comes out of the app's call.
        """
        ...

    def unwrap(self, argument: Any) -> Any:
        """The argument with each future replaced by its result; all of them are done.

        The caller's own containers are never changed: what holds a future is made anew.
        """
        ...
