"""A directory for this run alone."""

import os
from pathlib import Path

__all__ = ["make_run_dir"]


def make_run_dir(base: str | os.PathLike[str]) -> Path:
    """Make the next numbered directory (``000``, ``001``, …) below ``base``, which is made too.

    Any number of programs may do this at once: each gets a directory of its own.
    """
    above = Path(base).absolute()
    above.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(name) for name in os.listdir(above) if name.isdecimal()), default=-1)
    while True:
        path = above / f"{number:03d}"
        try:
            os.mkdir(path)
        except FileExistsError:
            number += 1
        else:
            return path
