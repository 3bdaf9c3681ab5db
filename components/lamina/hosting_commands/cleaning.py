"""Removing what a killed program could not: keys of its run, and the directories of its sockets."""

import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from lamina.hosting import read_record
from lamina.vocabulary import UsageError

__all__ = ["clean"]

_OURS = (["interchange"], ["endpoint"])
YOUNG = 60.0  # seconds; a socket's directory is there before the socket


def clean(run_dir: Path, sockets: Path | None = None) -> list[Path]:
    """Remove what nobody uses any more, and return what was removed.

    Of the runs below ``run_dir`` those are cleaned whose program has certainly ended: their keys
    go, their logs stay. Of ``sockets``, by default where executors make them, those directories
    of this user go behind which nobody listens.

    Raises:
        UsageError: ``run_dir`` is no directory.
    """
    if not run_dir.is_dir():
        msg = f"{run_dir} is no directory; name the run_dir of an endpoint"
        raise UsageError(msg)
    if sockets is None:
        sockets = Path(os.environ.get("LAMINA_SOCKET_DIR", "/tmp"))
    found = [*_keys(run_dir), *(path for path in sockets.glob("lamina-*") if _is_dead(path))]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return [path for path in found if not path.exists()]


def _keys(run_dir: Path) -> Iterator[Path]:
    for run in (run_dir, *sorted(run_dir.glob("*/"))):
        if not (run / "endpoint.json").is_file():
            continue
        try:
            record = read_record(run)
        except UsageError:
            continue  # its last words were never written to the end
        if record.run_dir == run and record.lives is False:
            yield from run.glob("*/keys/")


def _is_dead(path: Path) -> bool:
    try:
        facts, names = path.lstat(), sorted(os.listdir(path))
    except OSError:  # no directory, or not for us, or gone meanwhile
        return False
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        return False
    if names == []:
        return time.time() - facts.st_mtime > YOUNG
    # Whatever else is called lamina-… is none of ours, and stays.
    return names in _OURS and not _listens(path / names[0])


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(1.0)
        try:
            link.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:  # nobody can tell
            return True
    return True
