"""Opening the logs that a run begins with, and putting what they hold into the index."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from lamina.memo_log.files import ForeignFile, Log
from lamina.memo_log.forms import BESIDE, RESULT, read_brief
from lamina.memo_log.framing import Damage
from lamina.memo_log.index import Found, Index
from lamina.vocabulary import ConfigError

__all__ = ["open_logs", "read_log"]

_LOG = logging.getLogger(__name__)

_WARNINGS = 5  # about damage in one log, before they are summed up
_RESULTS = frozenset({RESULT, BESIDE})


def open_logs(folders: Sequence[Path], *, named: bool) -> list[Log]:
    """The logs that can be read. One that was named must be; of others it is said.

    Raises:
        ConfigError: One that was named belongs to another user.
        OSError: One that was named cannot be opened.
    """
    logs: list[Log] = []
    for folder in folders:
        try:
            log = Log(folder)
        except (ForeignFile, OSError) as error:
            if named:
                for opened in logs:
                    opened.close()
                if isinstance(error, ForeignFile):
                    raise ConfigError(str(error)) from error
                raise
            _LOG.warning("the results in %s cannot be read: %s", folder, error)
            continue
        if log.nonce is None:
            _LOG.warning("%s holds no record that is whole", log.path)
            log.close()
        else:
            logs.append(log)
    return logs


def read_log(log: Log, index: Index) -> None:
    """Put into the index what it does not know of a log."""
    start = index.covered(log.name)
    if not start or log.size() != start:
        reading = _Reading(log, start)
        index.add(log.name, reading.found())
        index.cover(log.name, reading.end)


class _Reading:
    """A log being read: gives its results, and tells of its damage."""

    def __init__(self, log: Log, start: int) -> None:
        self.log, self.end = log, start
        self._damaged = 0

    def found(self) -> Iterator[Found]:
        for item in self.log.scan(self.end):
            if isinstance(item, Damage):
                self._tell(item)
                continue
            offset, kind, _, body = item
            end = item.end
            self.end = end
            brief = read_brief(body) if kind in _RESULTS else None
            if brief is not None:
                yield Found(brief.key, brief.function, brief.at, offset, end - offset)
        if self._damaged > _WARNINGS:
            _LOG.warning("%s: %d pieces are damaged", self.log.path, self._damaged)

    def _tell(self, damage: Damage) -> None:
        self._damaged += 1
        if self._damaged <= _WARNINGS:
            _LOG.warning(
                "%s: %d bytes at byte %d are %s, and cost the result that was there",
                self.log.path,
                damage.size,
                damage.offset,
                "the torn end" if damage.torn else "damaged",
            )
