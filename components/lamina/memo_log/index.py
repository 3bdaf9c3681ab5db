"""Where each result is: what can always be found out again by reading the logs.

A published index is a SQLite file that is never changed: a new one takes its place by a rename.
So it is read without locks, on any file system, by any number of programs, and it does not matter
whose index wins. It says up to which byte it covers each log; what lies behind is read when a
store is opened, and kept in a private one, on this machine, that goes with the process.
"""

import contextlib
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lamina.memo_log.files import open_own

__all__ = ["FRESH", "Index", "IndexUnusable", "Where"]

RECENT = 16
"""Calls of each function that are remembered for comparison."""
FRESH = 4096
"""Results that are held in memory before they go to the private file."""

_APPLICATION = 0x4C4D656D  # "LMem"
_VERSION = 1
_TABLES = """
CREATE TABLE places (
    key BLOB, log INTEGER, at REAL, start INTEGER, size INTEGER, PRIMARY KEY (key, log)
) WITHOUT ROWID;
CREATE TABLE logs (id INTEGER PRIMARY KEY, name TEXT UNIQUE, covered INTEGER);
CREATE TABLE facts (results INTEGER);
CREATE TABLE recent (function TEXT, log INTEGER, at REAL, start INTEGER, size INTEGER);
"""
_PUT = """
INSERT INTO places VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, log) DO UPDATE
SET at = excluded.at, start = excluded.start, size = excluded.size
WHERE excluded.start >= start
"""
_GET = "SELECT log, at, start, size FROM places WHERE key = ?"


class IndexUnusable(Exception):  # never leaves the brick: the index is made anew
    """The published index is none of ours, or broken."""


class Where(NamedTuple):
    """One place where a result is."""

    log: str
    at: float
    start: int
    size: int


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
        self._recent: dict[str, deque[Where]] = {}
        self._fresh: dict[bytes, dict[int, tuple[float, int, int]]] = {}
        self._private: sqlite3.Connection | None = None
        self._published: sqlite3.Connection | None = None

    # The published one.

    def load(self) -> bool:
        """Use the published one; False if there is none.

        Raises:
            IndexUnusable: What is there cannot be used; ``forget`` it and read the logs.
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
            self._published = _connect(f"{self.path.absolute().as_uri()}?immutable=1", uri=True)
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
                self._note(function, Where(self._names[log], at, start, size))
        (self.rows,) = published.execute("SELECT results FROM facts").fetchone()

    def forget(self) -> None:
        """Know nothing, as if there had never been a published one."""
        self.close()
        self.__init__(self.path)  # type: ignore[misc]  # the one list of what it holds

    def publish(self) -> None:
        """Put what is known in the place of the published one.

        Raises:
            OSError: It cannot be written; nothing is lost by that.
        """
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.{id(self):x}.part")
        try:
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._spill()
            with contextlib.closing(_connect(str(partial))) as new:
                if self._published is not None:  # not the file: it may be another one by now
                    self._published.backup(new)
                self._fill(new)
            os.replace(partial, self.path)
        except sqlite3.Error as error:
            raise OSError(f"the index cannot be written: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        self.rows += self.unpublished
        self.unpublished = 0

    def _fill(self, new: sqlite3.Connection) -> None:
        new.execute("BEGIN")
        if self._published is None:
            for statement in _TABLES.split(";"):
                new.execute(statement)
            for what, value in _SIGNS.items():
                new.execute(f"PRAGMA {what} = {value}")
        if self._private is not None:
            rows = self._private.execute("SELECT * FROM places ORDER BY key, log")
            new.executemany(_PUT, rows)
        new.execute("DELETE FROM logs")
        logs = [(number, name, self._covered[name]) for name, number in self._ids.items()]
        new.executemany("INSERT INTO logs VALUES (?, ?, ?)", logs)
        new.execute("DELETE FROM facts")
        new.execute("INSERT INTO facts VALUES (?)", (self.rows + self.unpublished,))
        new.execute("DELETE FROM recent")
        new.executemany(
            "INSERT INTO recent VALUES (?, ?, ?, ?, ?)",
            (
                (function, self._ids[one.log], one.at, one.start, one.size)
                for function, calls in self._recent.items()
                for one in calls
            ),
        )
        new.execute("COMMIT")

    # What is in it.

    def covered(self, log: str) -> int:
        """Up to which byte a log is in here."""
        return self._covered.get(log, 0)

    def cover(self, log: str, end: int) -> None:
        """All of a log up to this byte is in here."""
        self._id_of(log)
        self._covered[log] = max(end, self._covered[log])

    def add(self, key: bytes, function: str, where: Where) -> None:
        """A result is there."""
        self._fresh.setdefault(key, {})[self._id_of(where.log)] = where[1:]
        self._note(function, where)
        self.unpublished += 1
        if len(self._fresh) >= FRESH:
            self._spill()

    def find(self, key: bytes) -> list[Where]:
        """All places of a result, the latest first.

        Raises:
            IndexUnusable: The published one is broken.
        """
        found = dict(self._fresh.get(key, {}))
        for source in (self._private, self._published):
            if source is not None:
                try:
                    rows = source.execute(_GET, (key,)).fetchall()
                except sqlite3.DatabaseError as error:
                    raise IndexUnusable(str(error)) from error
                for log, *place in rows:
                    found.setdefault(log, tuple(place))
        if not found:
            return []
        places = [Where(self._names[log], *place) for log, place in found.items()]
        return sorted(places, key=lambda one: one.at, reverse=True)

    def recent(self, function: str) -> Iterable[Where]:
        """Where the latest calls of a function are."""
        return tuple(self._recent.get(function, ()))

    def close(self) -> None:
        """Let go of all files. A second call does nothing."""
        for source in (self._private, self._published):
            if source is not None:
                source.close()
        self._private = self._published = None

    def _id_of(self, log: str) -> int:
        number = self._ids.get(log)
        if number is None:
            number = self._ids[log] = 1 + max(self._names, default=0)
            self._names[number] = log
            self._covered[log] = 0
        return number

    def _note(self, function: str, where: Where) -> None:
        calls = self._recent.get(function)
        if calls is None:
            calls = self._recent[function] = deque(maxlen=RECENT)
        calls.append(where)

    def _spill(self) -> None:
        if not self._fresh:
            return
        if self._private is None:
            # Without a name: SQLite keeps it in a file that nobody sees, and that goes with us.
            self._private = _connect("")
            self._private.executescript(_TABLES)
        self._private.execute("BEGIN")
        self._private.executemany(_PUT, sorted(self._rows()))
        self._private.execute("COMMIT")
        self._fresh = {}

    def _rows(self) -> Iterator[tuple[bytes, int, float, int, int]]:
        for key, places in self._fresh.items():
            for log, place in places.items():
                yield (key, log, *place)


_SIGNS = {"application_id": _APPLICATION, "user_version": _VERSION}


def _connect(where: str, *, uri: bool = False) -> sqlite3.Connection:
    # The store has a lock of its own, so one connection serves all threads.
    connection = sqlite3.connect(where, uri=uri, check_same_thread=False, isolation_level=None)
    if not uri:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384"):
            connection.execute(f"PRAGMA {setting}").close()
    return connection
