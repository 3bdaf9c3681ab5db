"""How one command is made to run on every node of a block."""

from typing import Protocol

__all__ = ["Launcher"]


class Launcher(Protocol):
    """**Protocol:** wraps one shell command so that it runs on every node of a block.

    Text in, text out: it looks at nothing but its arguments and its own options.
    """

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int) -> str:
        """The text for the batch script, which bash will read.

        The exit status of the text is the command's: 0 when all copies, or as the launcher's
        options say when enough of them, ended with 0.
        """
        ...
