"""Has this been computed, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from lamina.vocabulary import Clock, File

__all__ = ["Entry", "Hit", "Memo", "MemoKey", "Miss", "OutputMark", "Subject"]

MemoKey: TypeAlias = bytes


class Subject(NamedTuple):
    """A call to be remembered: the *user's* function and its unstaged, resolved arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[File, ...] = ()
    ignored: frozenset[str] = frozenset()
    """Names of parameters that do not count."""
    version: str = ""
    """What the author calls this version of the function."""


class OutputMark(NamedTuple):
    """What a declared output looked like when it was recorded."""

    url: str
    size: int
    """Bytes."""
    modified: int
    """Nanoseconds since the epoch."""


class Entry(NamedTuple):
    """What a call came to, to be remembered."""

    key: MemoKey
    value: Any
    name: str
    """What the task was called, for people who read the store."""
    outputs: tuple[OutputMark, ...] = ()
    error: BaseException | None = None
    """What its own code raised, for memos that are told to keep that too."""


class Hit(NamedTuple):
    """It has been computed. The outputs count only while they still look like this."""

    value: Any
    outputs: tuple[OutputMark, ...] = ()
    error: BaseException | None = None
    """What it raised, instead of a value."""


class Miss(NamedTuple):
    """It has not."""

    reason: str
    explain: Callable[[], str] | None = None
    """Finds out more, at a price; asked only where somebody listens."""

    def why(self) -> str:
        """Why not, as well as can be said."""
        return self.reason if self.explain is None else self.explain()


class Memo(Protocol):
    """**Protocol:** remembers results by what was called with what.

    Methods may be called from any thread. Identical calls in flight are merged by the kernel,
    which needs nothing but equal keys for it.
    """

    def start(self, run_dir: Path, clock: Clock) -> None:
        """Open whatever it keeps; ``run_dir`` is this run's own directory."""
        ...

    def key(self, subject: Subject) -> MemoKey:
        """The key of a call: equal for equal calls, in whatever process.

        Raises:
            MemoKeyError: An argument's type has no rule; the text names the type, the path
                to it, and how to register one.
        """
        ...

    def look_up(self, key: MemoKey) -> Hit | Miss:
        """What is known of a call. A failed read is a Miss that says so."""
        ...

    def record(self, entries: Sequence[Entry]) -> None:
        """Remember results; futures resolve after it returns.

        It does not raise for a result that it cannot keep, but logs it: the task succeeded.
        """
        ...

    def checkpoint(self) -> None:
        """Return when all that was recorded survives the death of this machine, if it ever can.

        Raises:
            OSError: It cannot be written; again may help.
        """
        ...

    def close(self) -> None:
        """Write down what is still held. A second call does nothing."""
        ...
