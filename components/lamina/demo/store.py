"""A memo that outlives the process: one file that is only ever appended to.

A record is its length, a checksum, and a pickle. A record that is torn or damaged costs itself,
and where its length cannot be trusted, those behind it; the rest is used.
"""

import io
import logging
import os
import pickle
import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from lamina.memo import Entry, Hit, MemoKey, Miss, OutputMark, Subject, memo_key
from lamina.vocabulary import Clock, File

__all__ = ["ResultsInDirectory", "StoreDamage"]

_HEAD = struct.Struct("<4sIII")  # magic, length of the body, its checksum, the head's own
_MAGIC = b"lam1"
_log = logging.getLogger(__name__)


class StoreDamage(NamedTuple):
    """What a store could not read when it was opened."""

    records: int
    """Records whose checksum was wrong."""
    torn: int
    """Bytes at the end that make no whole record."""


class ResultsInDirectory:
    """A Memo in one directory, for values that can be pickled.

    ``hits`` counts what was reused since it was started. One program at a time may write.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "results.lamina"
        self.hits = 0
        self.damage = StoreDamage(0, 0)
        self._lock = threading.Lock()
        self._known: dict[MemoKey, Hit] = {}
        self._stream: IO[bytes] | None = None

    def start(self, run_dir: Path, clock: Clock) -> None:
        """Read what is there, and cut off a torn end, so that new records can be found."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = self.path.read_bytes() if self.path.exists() else b""
        entries, self.damage = _read(data)
        self._known = {entry.key: Hit(entry.value, entry.outputs) for entry in entries}
        if any(self.damage):
            _log.warning("%s is damaged and partly not used: %s", self.path, self.damage)
        self._stream = open(self.path, "ab")  # noqa: SIM115 - close() closes it
        self._stream.truncate(len(data) - self.damage.torn)
        self.hits = 0

    def key(self, subject: Subject) -> MemoKey:
        """The key of a call: equal for equal calls, in whatever process.

        Raises:
            MemoKeyError: An argument's type has no rule.
        """
        return memo_key(subject)

    def look_up(self, key: MemoKey) -> Hit | Miss:
        """What is known of a call, if what it wrote still looks as it did."""
        with self._lock:
            hit = self._known.get(key)
            if hit is None:
                return Miss("it was never computed here")
            changed = [mark.url for mark in hit.outputs if not _same(mark)]
            if changed:
                return Miss(f"{changed[0]} is not what it was when the result was recorded")
            self.hits += 1
            return hit

    def record(self, entries: Sequence[Entry]) -> None:
        """Append results; a value that cannot be pickled is logged and left out."""
        buffer = io.BytesIO()
        kept: list[Entry] = []
        for entry in entries:
            try:
                body = pickle.dumps(tuple(entry), protocol=5)
            except Exception as error:  # a value's own code runs here
                _log.warning("the result of %s cannot be remembered: %s", entry.name, error)
                continue
            buffer.write(_frame(body))
            kept.append(entry)
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(buffer.getvalue())
                self._stream.flush()
            except OSError as error:
                _log.warning("results cannot be written to %s: %s", self.path, error)
            self._known.update((entry.key, Hit(entry.value, entry.outputs)) for entry in kept)

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()
                self._stream = None


def _frame(body: bytes) -> bytes:
    start = struct.pack("<4sII", _MAGIC, len(body), zlib.crc32(body))
    return start + struct.pack("<I", zlib.crc32(start)) + body


def _read(data: bytes) -> tuple[list[Entry], StoreDamage]:
    """All whole records. Behind a head that is damaged, the next good one is looked for."""
    entries: list[Entry] = []
    at = bad = 0
    good_end = 0
    while (at := data.find(_MAGIC, at)) >= 0 and at + _HEAD.size <= len(data):
        _, length, checksum, head_sum = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if zlib.crc32(data[at : at + _HEAD.size - 4]) != head_sum:
            at += 1
            continue
        if len(body) < length:
            break
        bad += at > good_end
        at += _HEAD.size + length
        good_end = at
        entry = _entry(body) if zlib.crc32(body) == checksum else None
        if entry is None:
            bad += 1
        else:
            entries.append(entry)
    return entries, StoreDamage(bad, len(data) - good_end)


def _entry(body: bytes) -> Entry | None:
    try:
        key, value, name, outputs = pickle.loads(body)
        return Entry(key, value, name, tuple(OutputMark(*mark) for mark in outputs))
    except Exception:  # a class may have moved since; then the record is of no use
        return None


def _same(mark: OutputMark) -> bool:
    try:
        about = os.stat(File(mark.url).filepath)
    except OSError:
        return False
    return (about.st_size, about.st_mtime_ns) == (mark.size, mark.modified)
