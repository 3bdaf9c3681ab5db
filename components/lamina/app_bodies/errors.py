"""What can be wrong with an app's own work, as distinct from what its function raises.

::

    AppException
    ├── BadStdStreamFile     stdout or stderr cannot be what was asked for
    ├── BashAppNoReturn      a bash app's function gave no command line
    ├── AppBadFormatting     a bash app's function failed to put its command line together
    ├── BashExitFailure      the command ended with another status than 0
    └── MissingOutputs       the command succeeded without writing what it had declared
"""

from collections.abc import Sequence

from lamina.vocabulary import LaminaError, exit_in_words

__all__ = [
    "AppBadFormatting",
    "AppException",
    "BadStdStreamFile",
    "BashAppNoReturn",
    "BashExitFailure",
    "MissingOutputs",
]


class AppException(LaminaError):
    """An app could not do its work. The text says why."""


class BadStdStreamFile(AppException):
    """A standard stream cannot be what was asked for. Again will not help."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(stream, why)
        self.stream, self.why = stream, why

    def __str__(self) -> str:
        return f"{self.stream} {self.why}"


class BashAppNoReturn(AppException):
    """The function of a bash app did not return a command line. Again will not help."""

    def __init__(self, app_name: str, returned: str) -> None:
        super().__init__(app_name, returned)
        self.app_name, self.returned = app_name, returned

    def __str__(self) -> str:
        return (
            f"bash app {self.app_name} returned {self.returned}; "
            "it must return the command line to run, as a str"
        )


class AppBadFormatting(AppException):
    """The function of a bash app failed to put its command line together."""

    def __init__(self, app_name: str, why: str) -> None:
        super().__init__(app_name, why)
        self.app_name, self.why = app_name, why

    def __str__(self) -> str:
        return f"bash app {self.app_name} could not put its command line together: {self.why}"


class BashExitFailure(AppException):
    """The command of a bash app ended with another status than 0.

    ``exitcode`` is negative where a signal ended bash itself; ``stderr`` holds the last lines
    that the command wrote there.
    """

    def __init__(self, app_name: str, exitcode: int, stderr: str = "") -> None:
        super().__init__(app_name, exitcode, stderr)
        self.app_name, self.exitcode, self.stderr = app_name, exitcode, stderr

    def __str__(self) -> str:
        said = f"; its stderr ended:\n{self.stderr}" if self.stderr else "; it wrote no stderr"
        return f"bash app {self.app_name} failed: {exit_in_words(self.exitcode)}{said}"


class MissingOutputs(AppException):
    """The command of a bash app succeeded, but files that it declared do not exist."""

    def __init__(self, app_name: str, outputs: Sequence[str]) -> None:
        super().__init__(app_name, tuple(outputs))
        self.app_name, self.outputs = app_name, tuple(outputs)

    def __str__(self) -> str:
        return (
            f"bash app {self.app_name} ended well without writing its outputs "
            f"{', '.join(self.outputs)}; check the paths in its command line"
        )
