"""How a command ends: its exit status, and what becomes of its errors."""

import os
import signal
import sys
from collections.abc import Callable

from lamina.vocabulary import LaminaError

__all__ = ["exit_status"]


def exit_status(name: str, run: Callable[[], int]) -> int:
    """Run a command; its errors are one line on stderr each, that begins with ``name``.

    Returns what ``run`` does, or 1 for an error of ours or the system's, 130 for Ctrl-C, and 141
    where nobody reads its stdout any more.
    """
    try:
        status = run()
        sys.stdout.flush()  # here, where a reader that has gone is met with
    except BrokenPipeError:  # `lamina plugins | head`: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (LaminaError, OSError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        return 130
    return status
