"""Options that users know from elsewhere and that have no meaning here."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from lamina.vocabulary.errors import ConfigError

__all__ = ["explains"]

T = TypeVar("T", bound=type[Any])


def explains(**instead: str) -> Callable[[T], T]:
    """Have a class refuse these options with words that say what is done, or to write, instead.

    The class then raises a ConfigError for each, instead of a TypeError.
    """

    def explained(cls: T) -> T:
        plain = cls.__init__

        @functools.wraps(plain)
        def init(self: object, *args: Any, **options: Any) -> None:
            for name, words in instead.items():
                if name in options:
                    msg = f"{type(self).__name__} has no option {name}: {words}"
                    raise ConfigError(msg)
            plain(self, *args, **options)

        cls.__init__ = init
        return cls

    return explained
