"""What the logs of some runs hold, record by record."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lamina.memo import StoredResult
from lamina.memo_log import Damage, ForeignFile, Log, checkpoint_named, get_all_checkpoints
from lamina.vocabulary import UsageError

__all__ = ["Record", "folders_of", "open_log", "records", "run_of", "with_key"]


class Record(NamedTuple):
    """One result in a log."""

    run: str
    result: StoredResult
    """Without its data."""
    size: int
    """Bytes of its frame."""
    load: Callable[[], StoredResult]
    """With its data."""


def folders_of(run_dir: Path) -> list[Path]:
    """The checkpoints below a ``run_dir``, the oldest first; or the one of a run, or an export.

    Raises:
        ConfigError: There is none.
    """
    found = [Path(one) for one in get_all_checkpoints(run_dir)]
    return found or [checkpoint_named(run_dir)]


def open_log(folder: Path) -> Log:
    """The log in a folder.

    Raises:
        UsageError: It cannot be read; the text says why.
    """
    try:
        return Log(folder)
    except (OSError, ForeignFile) as error:
        raise UsageError(str(error)) from error


def records(log: Log) -> Iterator[Record | Damage]:
    """All results in a log in the order of their recording, and all damage."""
    for item in log.results():
        if isinstance(item, Damage):
            yield item
        else:
            frame, result, rest = item
            load = partial(log.complete, frame, result, rest)
            yield Record(run_of(log), result, frame.end - frame.offset, load)


def run_of(log: Log) -> str:
    """What the run of a log is called."""
    return log.folder.parent.name if log.folder.name == "checkpoint" else log.folder.name


def with_key(run_dir: Path, prefix: str) -> list[Record]:
    """All results of the one call whose key begins so, the oldest first.

    Raises:
        UsageError: There is none, or there are several.
    """
    found: list[Record] = []
    for folder in folders_of(run_dir):
        log = open_log(folder)
        found += [
            one
            for one in records(log)
            if isinstance(one, Record) and one.result.key.hex().startswith(prefix.lower())
        ]
        log.close()
    keys = sorted({one.result.key.hex() for one in found})
    if not keys:
        msg = f"no result below {run_dir} has a key that begins with {prefix!r}"
        raise UsageError(f"{msg}; `lamina memo ls --results` lists them")
    if len(keys) > 1:
        msg = f"{len(keys)} keys begin with {prefix!r}: {', '.join(keys[:5])}"
        raise UsageError(f"{msg}{', …' if len(keys) > 5 else ''}; write more of it")
    return sorted(found, key=lambda one: one.result.at)
