"""Which runs have left results, and which of them a run begins with."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from lamina.memo_log.files import LOG_NAME
from lamina.vocabulary import ConfigError

__all__ = [
    "CHECKPOINT_DIR",
    "Resume",
    "checkpoint_named",
    "get_all_checkpoints",
    "get_last_checkpoint",
    "logs_to_read",
]

CHECKPOINT_DIR = "checkpoint"

Resume: TypeAlias = Literal["last"] | Sequence[str | os.PathLike[str]] | None
"""``"last"``: the last run, and those that it could have begun with; None: nothing; or the
directories of runs, of their checkpoints, or of an export."""


def get_all_checkpoints(rundir: str | os.PathLike[str] = "runinfo") -> list[str]:
    """The checkpoint directories of all runs below a ``run_dir``, the oldest first."""
    above = Path(rundir)
    try:
        runs = sorted((int(name), name) for name in os.listdir(above) if name.isdecimal())
    except OSError:
        return []
    folders = [above / name / CHECKPOINT_DIR for _, name in runs]
    return [str(folder) for folder in folders if (folder / LOG_NAME).is_file()]


def get_last_checkpoint(rundir: str | os.PathLike[str] = "runinfo") -> list[str]:
    """The checkpoint directory of the last run that has one, in a list; otherwise an empty one."""
    return get_all_checkpoints(rundir)[-1:]


def checkpoint_named(named: str | os.PathLike[str]) -> Path:
    """The checkpoint directory that is meant by a run's directory, or by itself.

    Raises:
        ConfigError: There is none.
    """
    path = Path(named)
    for folder in (path, path / CHECKPOINT_DIR):
        if (folder / LOG_NAME).is_file():
            return folder
    msg = (
        f"{os.fspath(named)} holds no checkpoint: there is no {LOG_NAME} in it, nor in "
        f"{CHECKPOINT_DIR} below it. `lamina memo ls RUN_DIR` lists the runs that have one."
    )
    raise ConfigError(msg)


def logs_to_read(resume: Resume, run_dir: Path) -> list[Path]:
    """The checkpoint directories that a run begins with, the oldest first.

    Raises:
        ConfigError: One that was named is not there.
    """
    if resume is None:
        return []
    if resume == "last":
        own = run_dir / CHECKPOINT_DIR
        return [Path(one) for one in get_all_checkpoints(run_dir.parent) if Path(one) != own]
    folders = [checkpoint_named(named) for named in resume]
    return list(dict.fromkeys(folders))
