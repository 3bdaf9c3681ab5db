"""Where each result is: what can always be found out again by reading the logs.

A published index is a SQLite file that is never changed: a new one takes its place by a rename.
So it is read without locks, on any file system, by any number of programs, and it does not matter
whose index wins. It says up to which byte it covers each log; what lies behind is read when a
store is opened, and kept in private ones, on this machine, that go with the process.
What a private one holds is published by merging it, as it is, with the published one, while
another takes what comes; so each result is written twice at most, however often that is done.
"""

import contextlib
import os
import sqlite3
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeAlias

from lamina.memo_log.files import open_own
from lamina.memo_log.sieve import Sieve

__all__ = ["FRESH", "Found", "Index", "IndexUnusable", "Snapshot", "Where"]

RECENT = 16
"""Calls of each function that are remembered for comparison."""
FRESH = 4096
"""Results that are held in memory before they go to a private file."""

_APPLICATION = 0x4C4D656D  # "LMem"
_VERSION = 1
_TABLES = """
CREATE TABLE places (
    key BLOB, log INTEGER, at REAL, start INTEGER, size INTEGER, PRIMARY KEY (key, log)
) WITHOUT ROWID;
CREATE TABLE logs (id INTEGER PRIMARY KEY, name TEXT UNIQUE, covered INTEGER);
CREATE TABLE facts (results INTEGER, sieve BLOB);
CREATE TABLE recent (function TEXT, log INTEGER, at REAL, start INTEGER, size INTEGER);
"""
_PUT = """
INSERT INTO places VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, log) DO UPDATE
SET at = excluded.at, start = excluded.start, size = excluded.size
WHERE excluded.start >= start
"""
_GET = "SELECT log, at, start, size FROM places WHERE key = ?"
_PAGES = 512  # that are copied at once, while those who look something up wait


class IndexUnusable(Exception):  # never leaves the brick: the index is made anew
    """The published index is none of ours, or broken."""


class Where(NamedTuple):
    """One place where a result is."""

    log: str
    at: float
    start: int
    size: int


_Place: TypeAlias = tuple[int, float, int, int]
"""A Where with the number of the log in the place of its name, as the tables have it."""


class Found(NamedTuple):
    """A result that was found in a log, or put there."""

    key: bytes
    function: str
    at: float
    start: int
    size: int


class Snapshot(NamedTuple):
    """What was known at one moment, and is not published."""

    private: tuple[sqlite3.Connection, ...]
    """The places, the older first; nothing is added to these any more."""
    unpublished: int
    rows: int
    logs: list[tuple[int, str, int]]
    recent: list[tuple[str, int, float, int, int]]
    sieve: bytes


class Index:
    """All places of all results of some logs. Not for several threads at once.

    ``path`` is where the published one is, and is published; None where there is to be none.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows = 0
        """Results in the published one."""
        self.unpublished = 0
        """Results that were added since."""
        self._ids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._covered: dict[str, int] = {}
        self._recent: dict[str, deque[_Place]] = {}
        self._fresh: dict[bytes, _Place] = {}
        self._sieve = Sieve()  # of what is in the next three
        self._private: sqlite3.Connection | None = None
        self._older: list[sqlite3.Connection] = []  # private ones that are being published
        self._published: sqlite3.Connection | None = None

    # The published one.

    def load(self) -> bool:
        """Use the published one; False if there is none.

        Raises:
            IndexUnusable: What is there cannot be used, nor can this one; read the logs into
                another.
        """
        if self.path is None:
            return False
        try:
            handle = open_own(self.path)
        except FileNotFoundError:
            return False
        except Exception as error:
            raise IndexUnusable(str(error)) from error
        os.close(handle)
        try:
            self._published = _published(self.path)
            self._read_published(self._published)
        except sqlite3.DatabaseError as error:
            raise IndexUnusable(f"{error}") from error
        return True

    def _read_published(self, published: sqlite3.Connection) -> None:
        signs = [published.execute(f"PRAGMA {what}").fetchone()[0] for what in _SIGNS]
        if signs != list(_SIGNS.values()):
            raise IndexUnusable(f"it is none of ours, or of another version ({signs})")
        for number, name, covered in published.execute("SELECT id, name, covered FROM logs"):
            self._ids[name], self._names[number] = number, name
            self._covered[name] = covered
        for function, log, at, start, size in published.execute("SELECT * FROM recent"):
            if log in self._names:
                calls = self._recent.setdefault(function, deque(maxlen=RECENT))
                calls.append((log, at, start, size))
        self.rows, sieve = published.execute("SELECT results, sieve FROM facts").fetchone()
        try:
            self._sieve.merge(sieve)
        except (ValueError, TypeError) as error:
            raise IndexUnusable(str(error)) from error

    def publish(self) -> None:
        """Put what is known in the place of the published one.

        Raises:
            OSError: It cannot be written; nothing is lost by that.
        """
        snapshot = self.snapshot()
        self.written(snapshot, self.write(snapshot))

    def snapshot(self) -> Snapshot:
        """What ``write`` needs, so that it can go on while others find and add."""
        self._spill()
        if self._private is not None:
            self._older.append(self._private)
            self._private = None
        logs = [(number, name, self._covered[name]) for name, number in self._ids.items()]
        recent = [(function, *place) for function, calls in self._recent.items() for place in calls]
        rows = self.rows + self.unpublished
        older = tuple(self._older)
        return Snapshot(older, self.unpublished, rows, logs, recent, self._sieve.packed())

    def write(self, snapshot: Snapshot) -> sqlite3.Connection | None:
        """Publish what was there at the snapshot. Any thread may do this, one at a time.

        It returns the published one for ``written``.

        Raises:
            OSError: It cannot be written; nothing is lost by that.
        """
        if self.path is None:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.{id(self):x}.part")
        try:
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with contextlib.closing(_new(str(partial))) as new:
                if self._published is not None:  # not the file: it may be another one by now
                    self._published.backup(new, pages=_PAGES)
                self._fill(new, snapshot)
            published = _published(partial)  # before the name may be that of another one
            try:
                os.replace(partial, self.path)
            except BaseException:
                published.close()
                raise
        except sqlite3.Error as error:
            raise OSError(f"the index cannot be written: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        return published

    def _fill(self, new: sqlite3.Connection, snapshot: Snapshot) -> None:
        new.execute("BEGIN")
        if self._published is None:
            for statement in _TABLES.split(";"):
                new.execute(statement)
            for what, value in _SIGNS.items():
                new.execute(f"PRAGMA {what} = {value}")
        for private in snapshot.private:
            new.executemany(_PUT, private.execute("SELECT * FROM places ORDER BY key, log"))
        for table in ("logs", "facts", "recent"):
            new.execute(f"DELETE FROM {table}")
        new.executemany("INSERT INTO logs VALUES (?, ?, ?)", snapshot.logs)
        new.execute("INSERT INTO facts VALUES (?, ?)", (snapshot.rows, snapshot.sieve))
        new.executemany("INSERT INTO recent VALUES (?, ?, ?, ?, ?)", snapshot.recent)
        new.execute("COMMIT")

    def written(self, snapshot: Snapshot, published: sqlite3.Connection | None) -> None:
        """The snapshot has been published; or it has not, and is to be with the next one."""
        self.rows = snapshot.rows
        self.unpublished -= snapshot.unpublished
        if published is None:
            return
        for one in (*snapshot.private, self._published):
            if one is not None:
                one.close()
        self._older = [one for one in self._older if one not in snapshot.private]
        self._published = published

    # What is in it.

    def covered(self, log: str) -> int:
        """Up to which byte a log is in here."""
        return self._covered.get(log, 0)

    def cover(self, log: str, end: int) -> None:
        """All of a log up to this byte is in here."""
        self._id_of(log)
        self._covered[log] = max(end, self._covered[log])

    def add(self, log: str, found: Iterable[Found]) -> None:
        """These results are in a log, in the order of their recording."""
        number = self._id_of(log)
        for key, function, at, start, size in found:
            held = self._fresh.get(key)
            if len(self._fresh) >= FRESH or (held is not None and held[0] != number):
                self._spill()
            place = (number, at, start, size)
            self._fresh[key] = place
            calls = self._recent.get(function)
            if calls is None:
                calls = self._recent[function] = deque(maxlen=RECENT)
            calls.append(place)
            self.unpublished += 1

    def find(self, key: bytes) -> list[Where]:
        """All places of a result, the latest first.

        Raises:
            IndexUnusable: The published one is broken.
        """
        found: dict[int, _Place] = {}
        if (held := self._fresh.get(key)) is not None:
            found[held[0]] = held
        passes = key in self._sieve  # a query costs ten times as much
        for source in (self._private, *reversed(self._older), self._published):
            if source is not None and passes:
                try:
                    rows = source.execute(_GET, (key,)).fetchall()
                except sqlite3.DatabaseError as error:
                    raise IndexUnusable(str(error)) from error
                for place in rows:
                    found.setdefault(place[0], place)
        if not found:
            return []
        return sorted(map(self._where, found.values()), key=lambda one: one.at, reverse=True)

    def recent(self, function: str) -> Iterable[Where]:
        """Where the latest calls of a function are."""
        return tuple(map(self._where, self._recent.get(function, ())))

    def _where(self, place: _Place) -> Where:
        log, at, start, size = place
        return Where(self._names[log], at, start, size)

    def close(self) -> None:
        """Let go of all files. A second call does nothing."""
        for source in (self._private, *self._older, self._published):
            if source is not None:
                source.close()
        self._private = self._published = None
        self._older = []

    def _id_of(self, log: str) -> int:
        number = self._ids.get(log)
        if number is None:
            number = self._ids[log] = 1 + max(self._names, default=0)
            self._names[number] = log
            self._covered[log] = 0
        return number

    def _spill(self) -> None:
        if not self._fresh:
            return
        if self._private is None:
            # Without a name: SQLite keeps it in a file that nobody sees, and that goes with us.
            self._private = _new("")
            self._private.executescript(_TABLES)
        self._private.execute("BEGIN")
        rows = sorted((key, *place) for key, place in self._fresh.items())
        for key in self._fresh:
            self._sieve.add(key)
        self._private.executemany(_PUT, rows)
        self._private.execute("COMMIT")
        self._fresh = {}


_SIGNS = {"application_id": _APPLICATION, "user_version": _VERSION}


def _published(path: Path) -> sqlite3.Connection:
    """Open one that is never changed any more. From here on its name does not matter."""
    uri = f"{path.absolute().as_uri()}?immutable=1"
    return _connect(uri, "PRAGMA schema_version", uri=True)


def _new(where: str) -> sqlite3.Connection:
    """One that nobody else knows, and that has nothing to lose."""
    settings = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384")
    return _connect(where, *(f"PRAGMA {setting}" for setting in settings))


def _connect(where: str, *first: str, uri: bool = False) -> sqlite3.Connection:
    """Open a database, with these statements as the first."""
    # The store has a lock of its own, so one connection serves all threads.
    connection = sqlite3.connect(where, uri=uri, check_same_thread=False, isolation_level=None)
    try:
        for statement in first:
            connection.execute(statement).close()
    except BaseException:
        connection.close()
        raise
    return connection
