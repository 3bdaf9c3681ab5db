"""What is said of frames that are none: something, and not for each of them."""

import sys
from collections.abc import Callable

from lamina.htex_core import MalformedFrame

__all__ = ["Refused"]


class Refused:
    """Counts the frames that were refused, and says so of the first, second, fourth, and so on.

    So whoever looks into the log finds it, and whoever sends them cannot fill it.
    """

    def __init__(self, say: Callable[[str], object] = sys.stderr.write) -> None:
        self._say = say
        self.count = 0

    def one(self, whose: str, error: MalformedFrame) -> None:
        """One more, of this sender."""
        self.count += 1
        if self.count & (self.count - 1) == 0:
            so_far = "" if self.count == 1 else f" ({self.count} so far)"
            self._say(f"refused what {whose} said, it is {error}{so_far}\n")
