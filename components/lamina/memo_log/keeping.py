"""Looking after checkpoints: which runs can go, and all that is of use in one log."""

import os
import secrets
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from lamina.memo import ResultDamaged
from lamina.memo_log.files import LOG_NAME, Log
from lamina.memo_log.forms import Header
from lamina.memo_log.framing import Damage
from lamina.memo_log.index import Index, Where
from lamina.memo_log.logs import read_log
from lamina.memo_log.writer import LogWriter
from lamina.processes import Identity, own_identity, watch
from lamina.vocabulary import UsageError

__all__ = ["QUIET", "export_results", "may_be_written", "remove_checkpoint"]

QUIET = 24 * 3600.0
"""Seconds without a record after which a log, whose program cannot be seen from here, has ended."""


def may_be_written(log: Log, now: float) -> bool:
    """Whether its program may still be running; ``now`` is seconds since the epoch."""
    process = None if log.header is None else Identity.read(log.header.process)
    if process is not None:
        try:
            handle = watch(process)
        except ProcessLookupError:
            return False
        if handle is not None:
            os.close(handle)
            return True
    return now - log.path.stat().st_mtime < QUIET


def remove_checkpoint(folder: Path) -> None:
    """Remove the log in a folder, with what lies beside it; the index forgets it by and by.

    Raises:
        OSError: It cannot be removed.
    """
    (folder / LOG_NAME).unlink()  # first: what is left then is no checkpoint
    shutil.rmtree(folder)


def export_results(folders: Sequence[Path], to: Path) -> tuple[int, int]:
    """Write the latest result of each call to one new log, and say how many there are.

    The second number is how many could not be read, or were superseded.

    Raises:
        UsageError: There is a checkpoint already.
        OSError: A log cannot be opened, or the new one not be written.
    """
    if (to / LOG_NAME).exists():
        msg = f"{to} holds a checkpoint already; name another directory"
        raise UsageError(msg)
    logs = [Log(folder) for folder in folders]
    index = Index(None)
    for log in logs:
        read_log(log, index)
    header = Header(secrets.token_hex(8), time.time(), socket.gethostname(), own_identity().text)
    writer = LogWriter(to, header, buffer=1 << 20)
    try:
        return _copy(logs, index, writer)
    finally:
        writer.close()
        index.close()
        for log in logs:
            log.close()


def _copy(logs: Sequence[Log], index: Index, writer: LogWriter) -> tuple[int, int]:
    written = left = 0
    for log in logs:
        for item in log.results():
            if isinstance(item, Damage):
                left += 1
                continue
            frame, result, rest = item
            here = Where(log.name, result.at, frame.offset, frame.end - frame.offset)
            if index.find(result.key)[0] != here:
                left += 1
                continue
            try:
                writer.put([log.complete(frame, result, rest)])
                written += 1
            except ResultDamaged:
                left += 1
    return written, left
