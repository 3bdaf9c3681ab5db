"""The command line: ``lamina demo``, ``version``, and what ``lamina-endpoint`` has."""

from lamina.cli.commands import main

__all__ = ["main"]
