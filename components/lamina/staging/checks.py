"""Whether what was brought is what was asked for, and trying again where that may help."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lamina.vocabulary import File, HasStarted, StagingFailed

__all__ = ["PAUSES", "compare", "measured", "naming", "persist", "restated", "verify"]

T = TypeVar("T")

PAUSES = (0.2, 1.0, 5.0)  # seconds before a transfer is tried again


def persist(action: Callable[[int], T], pauses: Sequence[float] = PAUSES) -> T:
    """Do ``action(attempt)``, again after each pause while it fails and again may help.

    Raises:
        StagingFailed: The last failure, with the number of attempts that were made.
    """
    attempt = 1
    while True:
        try:
            return action(attempt)
        except StagingFailed as error:
            error.attempt = attempt
            if not error.again or attempt > len(pauses):
                raise _renewed(error) from error.__cause__
        time.sleep(pauses[attempt - 1])
        attempt += 1


@contextmanager
def naming(url: str, started: HasStarted) -> Iterator[None]:
    """Make whatever goes wrong inside a StagingFailed that names the URL.

    Raises:
        StagingFailed: Something went wrong.
    """
    try:
        yield
    except StagingFailed as error:
        raise restated(error, url, started) from error
    except OSError as error:
        raise StagingFailed(f"{error}", started, url, again=True) from error


def restated(error: StagingFailed, url: str, started: HasStarted) -> StagingFailed:
    """The same failure, of this URL, and saying whether the task's code has run."""
    error.url = error.url or url
    error.started = started
    return _renewed(error)


def _renewed(error: StagingFailed) -> StagingFailed:
    """The same failure with its facts where pickle looks for them."""
    facts = (error.url, error.attempt, error.moved, error.status, error.again)
    error.args = (error.reason, error.started, *facts)
    return error


def measured(path: Path) -> int:
    """The bytes of a file, or of all files below a directory."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(path)
        for name in names
    )


def compare(file: File, found: int | None, wanted: int | None, what: str) -> None:
    """Compare what has been moved of a file with what was to be, in bytes, where both are known.

    Raises:
        StagingFailed: They differ; ``what`` is what the bytes have done. Again may help.
    """
    if None not in (found, wanted) and found != wanted:
        reason = f"{found} bytes {what} of {wanted}"
        raise StagingFailed(reason, url=file.url, moved=found or 0)


def verify(path: Path, file: File) -> None:
    """Compare a file with the size and the checksum that were asked for, as far as they were.

    Raises:
        StagingFailed: It is another one; again may help, where it was spoilt on the way.
    """
    if file.size is None and file.checksum is None:
        return
    found = measured(path)
    if file.size is not None and found != file.size:
        reason = f"it has {found} bytes, and size={file.size} was asked for"
        raise StagingFailed(reason, url=file.url, moved=found)
    if file.checksum is None:
        return
    kind, _, wanted = file.checksum.partition(":")
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, kind).hexdigest()
    if digest != wanted:
        reason = f"its {kind} is {digest}, and {wanted} was asked for"
        raise StagingFailed(reason, url=file.url, moved=found)
