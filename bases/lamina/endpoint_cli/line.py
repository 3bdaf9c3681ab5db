"""The commands, and what becomes of their errors."""

import argparse
from collections.abc import Sequence

from lamina.hosting_commands import add_commands, exit_status, refuse_siblings, run_command

__all__ = ["main"]

_NAME = "lamina-endpoint"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 well, 1 an error of ours, 2 misuse."""
    parser = argparse.ArgumentParser(
        prog=_NAME, description="Functions on the nodes of a cluster, for a host of yours."
    )
    add_commands(parser.add_subparsers(dest="command", metavar="command"))
    options = parser.parse_args(argv)

    def run() -> int:
        refuse_siblings()
        if options.command is None:
            parser.print_help()
            return 2
        said = run_command(options)
        print(said.text)
        return said.status

    return exit_status(_NAME, run)
