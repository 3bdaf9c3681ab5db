"""The command line: ``lamina demo``, ``lamina version``, ``lamina plugins``."""

from lamina.cli.commands import main

__all__ = ["main"]
