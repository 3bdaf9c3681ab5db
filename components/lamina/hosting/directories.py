"""A directory for one run alone."""

import os
from pathlib import Path

__all__ = ["fresh_directory", "number_of"]


def fresh_directory(above: Path) -> Path:
    """Make the next of ``000``, ``001``, … below ``above``, which is made too.

    Any number of programs may do this at once. The directory is for the user alone.
    """
    above = above.absolute()
    above.mkdir(parents=True, exist_ok=True)
    number = 1 + max(map(number_of, os.listdir(above)), default=-1)
    while True:
        path = above / f"{number:03d}"
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return path


def number_of(name: str) -> int:
    """The number of the run whose directory has this name; -1 if it is not one of these."""
    return int(name) if name.isdecimal() else -1
