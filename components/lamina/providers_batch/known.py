"""Options that users know from elsewhere and that have no meaning here."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from lamina.vocabulary import ConfigError

__all__ = ["explains"]

T = TypeVar("T", bound=type[Any])


def explains(**reasons: str) -> Callable[[T], T]:
    """Have a class refuse these options with a sentence that says what is done instead.

    The class then raises a ConfigError for each, instead of a TypeError.
    """

    def explained(cls: T) -> T:
        plain = cls.__init__

        @functools.wraps(plain)
        def init(self: object, *args: Any, **options: Any) -> None:
            for name, reason in reasons.items():
                if name in options:
                    msg = f"{cls.__name__} has no option {name}, because {reason}; leave it out"
                    raise ConfigError(msg)
            plain(self, *args, **options)

        cls.__init__ = init
        return cls

    return explained
