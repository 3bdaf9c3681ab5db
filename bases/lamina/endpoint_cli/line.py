"""The commands, and what becomes of their errors."""

import argparse
import os
import signal
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
        print(said.text)
        sys.stdout.flush()  # here, where a reader that has gone is met with
    except BrokenPipeError:  # `lamina-endpoint plugins | head`: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (LaminaError, OSError) as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted", file=sys.stderr)
        return 130
    return said.status
