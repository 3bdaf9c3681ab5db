"""The commands, and what becomes of their errors."""

import argparse
import sys
from collections.abc import Sequence

from lamina.hosting_commands import add_commands, refuse_siblings, run_command
from lamina.vocabulary import LaminaError

__all__ = ["main"]

_NAME = "lamina-endpoint"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 well, 1 an error of ours, 2 misuse."""
    parser = argparse.ArgumentParser(
        prog=_NAME, description="Functions on the nodes of a cluster, for a host of yours."
    )
    add_commands(parser.add_subparsers(dest="command", metavar="command"))
    options = parser.parse_args(argv)
    try:
        refuse_siblings()
        if options.command is None:
            parser.print_help()
            return 2
        said = run_command(options)
    except LaminaError as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted", file=sys.stderr)
        return 130
    print(said.text)
    return said.status
