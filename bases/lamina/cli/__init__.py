"""The command line: ``lamina demo``, ``version``, ``memo``, and what ``lamina-endpoint`` has."""

from lamina.cli.commands import main

__all__ = ["main"]
