"""``LogResultStore``: results in a log of each run, which survive the death of everything."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from lamina.memo import CallPrint, MemoKey, ResultDamaged, StoredResult
from lamina.memo_log.committer import Committer
from lamina.memo_log.files import Log
from lamina.memo_log.finding import CHECKPOINT_DIR, Resume, logs_to_read
from lamina.memo_log.forms import Header
from lamina.memo_log.framing import LARGEST
from lamina.memo_log.index import Found, Index, IndexUnusable, Where
from lamina.memo_log.logs import open_logs, read_log
from lamina.memo_log.writer import LARGE, LogWriter
from lamina.processes import own_identity
from lamina.vocabulary import Clock, ConfigError, read_bytes, read_seconds

__all__ = ["Durability", "INDEX_NAME", "LogResultStore"]

_LOG = logging.getLogger(__name__)

Durability: TypeAlias = Literal["result", "interval", "close"]

INDEX_NAME = "memo.index"
_BUFFER = 256 * 1024  # bytes that may wait where nothing is promised before the end
_OPEN_LOGS = 64  # that are held open for reading
_MEANWHILE = 25  # times index_after, from which the index is written during a run
_SHARE = 20  # of what is indexed, one part in so many may be new before it is written again


def _large(given: int | str) -> int:
    size = read_bytes(given, what="large")
    if size > LARGEST // 2:  # with its words it has to fit into a frame
        msg = f'large is {given!r:.100}; it must be "512 MiB" or less, for what lies in the log'
        raise ConfigError(msg)
    return size


class LogResultStore:
    """Keeps results in ``checkpoint/results.log`` of each run's directory.

    Args:
        durability: When a result survives the death of the machine: ``"result"``, before its
            future resolves; ``"interval"``, that long afterwards at most; ``"close"``, when the
            kernel is closed, and then a killed program may lose what it had not yet written.
            In the other two the death of the program alone costs nothing that was recorded.
        interval: Seconds, or text with a unit.
        resume: Which runs' results can be had: ``"last"`` (the last run below the same
            ``run_dir``, and those before it), a list of directories, or None.
        large: Bytes from which a result has a file of its own beside the log; 512 MiB at most.
        index_dir: Where the index of all logs is; None for the ``run_dir``. It can be removed at
            any time.
        index_after: Results that are in no index, from which one is written at the beginning and
            the end of a run; 25 times as many during a run. Where more than 20 times as many
            are indexed, a twentieth of these.

    Raises:
        ConfigError: One of these cannot work.
    """

    def __init__(
        self,
        durability: Durability = "interval",
        interval: float | str = 0.5,
        resume: Resume = "last",
        large: int | str = LARGE,
        index_dir: str | os.PathLike[str] | None = None,
        index_after: int = 2000,
    ) -> None:
        if durability not in get_args(Durability):
            choice = ", ".join(map(repr, get_args(Durability)))
            msg = f"durability is {durability!r:.100}; it must be one of {choice}"
            raise ConfigError(msg)
        if isinstance(resume, str) and resume != "last":
            msg = f'resume is {resume!r}; write "last", None, or a list, as [{resume!r}]'
            raise ConfigError(msg)
        self.durability: Durability = durability
        self.interval = read_seconds(interval, what="interval")
        self.resume: Resume = resume
        self.large = _large(large)
        self.index_dir = index_dir
        self.index_after = index_after
        self._lock = threading.RLock()  # of everything below
        self._syncing = threading.Lock()  # one fsync at a time; put may go on meanwhile
        self._logs: dict[str, Log] = {}
        self._reading: dict[str, None] = {}  # logs that are open, the latest used last
        self._index: Index | None = None
        self._writer: LogWriter | None = None
        self._committer: Committer | None = None
        self._publisher: threading.Thread | None = None

    # Its life.

    def open(self, run_dir: Path, clock: Clock) -> None:
        """Begin a log of this run, and read what the index does not know of the earlier ones.

        Raises:
            ConfigError: A run that was named has no checkpoint, or it is another user's.
            OSError: The log cannot be made, or one that was named cannot be opened.
        """
        folders = logs_to_read(self.resume, run_dir)
        try:
            with self._lock:
                self._open(folders, run_dir, clock)
        except BaseException:
            self._wait_for_publisher()
            writer, self._writer = self._writer, None
            if writer is not None:
                with suppress(OSError):
                    writer.close()
            with self._lock:
                self._let_go()
            raise

    def _open(self, folders: Sequence[Path], run_dir: Path, clock: Clock) -> None:
        where = run_dir.parent if self.index_dir is None else Path(self.index_dir)
        self._index = Index(where / INDEX_NAME)
        named = self.resume not in ("last", None)
        self._logs = {log.name: log for log in open_logs(folders, named=named)}
        index = self._load_index(self._index)
        header = Header(
            secrets.token_hex(8), clock.wall(), socket.gethostname(), own_identity().text
        )
        buffer = _BUFFER if self.durability == "close" else 0
        folder = run_dir / CHECKPOINT_DIR
        self._writer = LogWriter(folder, header, large=self.large, buffer=buffer)
        own = Log(folder)
        self._logs[own.name] = own
        index.cover(own.name, self._writer.end)
        if self.durability == "interval":
            self._committer = Committer(self.sync, self.interval)

    def _let_go(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
        for log in self._logs.values():
            log.close()
        self._reading.clear()

    def _load_index(self, index: Index) -> Index:
        """Load it and bring it up to the ends of all logs; or another, made from these."""
        try:
            index.load()
            short = [log for log in self._logs.values() if log.size() < index.covered(log.name)]
            if short:
                raise IndexUnusable(f"it says more of {short[0].path} than there is")
        except IndexUnusable as why:
            return self._rebuild_index(index, str(why))
        self._read_uncovered(index)
        if index.unpublished >= self._many(index, self.index_after):
            self._publish_meanwhile(index)
        return index

    def _rebuild_index(self, old: Index, why: str) -> Index:
        _LOG.warning("the index %s is made anew from the logs: %s", old.path, why)
        self._index = index = Index(old.path)
        if not self._is_publishing():
            old.close()
        self._read_uncovered(index)
        self._publish_meanwhile(index)
        return index

    def _read_uncovered(self, index: Index) -> None:
        for log in self._logs.values():
            read_log(log, index)
            log.close()

    @staticmethod
    def _many(index: Index, least: int) -> int:
        """How many results may be in no index before one is written."""
        return max(least, index.rows // _SHARE)

    def _publish(self) -> None:
        """Write the index where enough has come together; without it nothing is lost."""
        index = self._index
        assert index is not None
        if index.unpublished >= self._many(index, self.index_after):
            try:
                index.publish()
            except OSError as error:
                _LOG.warning("the index %s is not written: %s", index.path, error)

    def _publish_meanwhile(self, index: Index) -> None:
        """Publish on another thread: neither the start nor a long run waits for it."""
        if self._is_publishing():
            return
        snapshot = index.snapshot()

        def publish() -> None:
            published = None
            try:
                published = index.write(snapshot)
            except OSError as error:
                _LOG.warning("the index %s is not written: %s", index.path, error)
            with self._lock:  # also where it failed: it is tried again after as many more
                index.written(snapshot, published)
                if self._index is not index:  # another was made of it meanwhile
                    index.close()

        self._publisher = threading.Thread(target=publish, name="lamina-memo-index", daemon=True)
        self._publisher.start()

    def _is_publishing(self) -> bool:
        return self._publisher is not None and self._publisher.is_alive()

    def _wait_for_publisher(self) -> None:
        """Wait until nobody else uses the index; without the lock, which that thread needs."""
        if self._publisher is not None:
            self._publisher.join()
            self._publisher = None

    def close(self) -> None:
        """Make everything safe, write the index, and let go. A second call does nothing.

        Raises:
            OSError: What was left could not be written.
        """
        with self._lock:  # from here on nothing is put, and so no other publisher begins
            writer, self._writer = self._writer, None
            committer, self._committer = self._committer, None
        if writer is None:
            return
        if committer is not None:
            committer.stop()
        self._wait_for_publisher()
        try:
            with self._syncing:
                writer.close()
        finally:
            with self._lock:
                self._publish()
                self._let_go()

    # Results.

    def put(self, results: Sequence[StoredResult]) -> None:
        """Append results to this run's log.

        Raises:
            OSError: They are not kept; the store stays usable.
        """
        with self._lock:
            writer, index = self._writer, self._index
            if writer is None or index is None:
                raise OSError("the store is closed")
            places = writer.put(results)
            found = [
                Found(bytes(one.key), one.made_of.function if one.made_of else "", one.at, *place)
                for one, place in zip(results, places, strict=True)
            ]
            index.add(writer.name, found)
            index.cover(writer.name, writer.end)
            committer = self._committer
            if index.unpublished >= self._many(index, _MEANWHILE * self.index_after):
                self._publish_meanwhile(index)
        if self.durability == "result":
            self.sync()
        elif committer is not None:
            committer.touch()

    def get(self, key: MemoKey) -> StoredResult | None:
        """The latest result of a call, or None.

        Raises:
            ResultDamaged: There was one, and it cannot be read; this was logged too.
        """
        with self._lock:
            damaged: ResultDamaged | None = None
            for where in self._find(bytes(key)):
                log = self._logs.get(where.log)
                if log is None:
                    continue  # of a run that this one does not begin with
                try:
                    return self._read(log, where, key)
                except ResultDamaged as error:
                    _LOG.warning("%s", error)
                    damaged = error
            if damaged is not None:
                raise damaged
            return None

    def _find(self, key: bytes) -> Sequence[Where]:
        index = self._index
        if index is None:
            return ()
        try:
            return index.find(key)
        except IndexUnusable as why:
            return self._rebuild_index(index, str(why)).find(key)

    def _read(self, log: Log, where: Where, key: MemoKey) -> StoredResult:
        self._flush_for(where)
        result = log.read(where.start, where.size)
        self._hold(log)
        if result.key != key:
            raise ResultDamaged(str(log.path), f"byte {where.start} is another call's")
        return result

    def _flush_for(self, where: Where) -> None:
        """Have what may still wait in this process where it can be read."""
        if self._writer is not None and where.log == self._writer.name:
            self._writer.flush()

    def _hold(self, log: Log) -> None:
        self._reading.pop(log.name, None)
        self._reading[log.name] = None
        if len(self._reading) > _OPEN_LOGS:
            oldest = next(iter(self._reading))
            del self._reading[oldest]
            self._logs[oldest].close()

    def recent(self, function: str) -> Sequence[CallPrint]:
        """Some calls of a function that can be had, the latest among them."""
        calls: list[CallPrint | None] = []
        with self._lock:
            places = () if self._index is None else self._index.recent(function)
            for where in places:
                log = self._logs.get(where.log)
                if log is not None:
                    self._flush_for(where)
                    with suppress(ResultDamaged):
                        calls.append(log.made_of(where.start, where.size))
                        self._hold(log)
        return [one for one in calls if one is not None]

    def sync(self) -> None:
        """Return when everything put so far survives the death of this machine.

        Raises:
            OSError: It cannot be written; again may help.
        """
        with self._lock:
            writer = self._writer
            if writer is None:
                return
            writer.flush()
        with self._syncing:
            if self._writer is writer:
                writer.sync()
