"""``StoredMemo``: a memo over any store of results."""

import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lamina.codec import Codec, dump_error, load_error
from lamina.memo.calls import CallKey, memo_key, nearest
from lamina.memo.files import FilePolicy, check_policy
from lamina.memo.protocol import Entry, Hit, MemoKey, Miss, Subject
from lamina.memo.stores import Form, InMemoryResultStore, ResultDamaged, ResultStore, StoredResult
from lamina.plugins import resolve
from lamina.vocabulary import Clock, SystemClock

__all__ = ["StoredMemo"]

_LOG = logging.getLogger(__name__)


class StoredMemo:
    """Keeps results in a store, as bytes of a codec. A result that cannot be written is logged.

    Args:
        store: Where they are kept; None for the memory of this process.
        codec: What writes and reads them, by name or as an object.
        errors: Classes of exceptions that are remembered too, such as ``[ValueError]``.
        files: How a File among the arguments counts: by ``"name"``, by ``"stat"`` (size and time
            of change as well), or by ``"content"``.

    Several kernels may use one at once; it is closed with the last of them.

    Raises:
        ConfigError: One of these cannot work.
    """

    def __init__(
        self,
        store: ResultStore | None = None,
        codec: str | Codec = "cloudpickle",
        errors: Iterable[type[BaseException]] = (),
        files: FilePolicy = "stat",
    ) -> None:
        check_policy(files, "files")
        self.store: ResultStore = InMemoryResultStore() if store is None else store
        self.errors: tuple[type[BaseException], ...] = tuple(errors)
        self.files: FilePolicy = files
        self.codec: Codec = resolve("codecs", codec)() if isinstance(codec, str) else codec
        self._clock: Clock = SystemClock()
        self._users = 0
        self._lock = threading.Lock()

    def start(self, run_dir: Path, clock: Clock) -> None:
        """Open the store, unless another kernel has it open.

        Raises:
            ConfigError: What the store was asked for cannot be.
            OSError: It cannot be opened.
        """
        with self._lock:
            if not self._users:
                self._clock = clock
                self.store.open(run_dir, clock)
            self._users += 1

    def key(self, subject: Subject) -> CallKey:
        """The key of a call: equal for equal calls, in whatever process.

        Raises:
            MemoKeyError: An argument's type has no rule.
        """
        return memo_key(subject, self.files)

    def look_up(self, key: MemoKey) -> Hit | Miss:
        """What is known of a call. What cannot be read is a Miss that says so."""
        try:
            found = self.store.get(key)
            if found is None:
                return Miss("no such call was recorded", lambda: self._why(key))
            if found.form == "error":
                return Hit(None, found.outputs, load_error(bytes(found.data[0])))
            return Hit(self.codec.load(found.data), found.outputs)
        except ResultDamaged as damaged:
            return Miss(str(damaged))
        except Exception as error:  # the store's, or the code of what was recorded
            return Miss(f"what was recorded cannot be read: {type(error).__name__}: {error}")

    def _why(self, key: MemoKey) -> str:
        if not isinstance(key, CallKey):
            return "no such call was recorded"
        differing = nearest(key.made_of, self.store.recent(key.made_of.function))
        if differing is None:
            return f"no call of {key.made_of.function} was recorded"
        if not differing:
            return "it was recorded, and is there no more"
        return f"compared with the most similar call that was recorded, {'; '.join(differing)}"

    def record(self, entries: Sequence[Entry]) -> None:
        """Keep results; what cannot be kept is logged."""
        results = [kept for entry in entries if (kept := self._kept(entry))]
        if not results:
            return
        try:
            self.store.put(results)
        except OSError as error:
            _LOG.error("%d results could not be recorded: %s", len(results), error)

    def _kept(self, entry: Entry) -> StoredResult | None:
        form: Form = "value"
        try:
            if entry.error is None:
                data: Any = self.codec.dump(entry.value)
            elif isinstance(entry.error, self.errors):
                form, data = "error", [dump_error(entry.error, self.codec.dump)]
            else:
                return None
        except (Exception, SystemExit) as error:  # the code of what is to be recorded
            _LOG.warning("the result of %s is not recorded: %s", entry.name, error)
            return None
        made_of = entry.key.made_of if isinstance(entry.key, CallKey) else None
        at = self._clock.wall()
        return StoredResult(entry.key, entry.name, at, form, data, entry.outputs, made_of)

    def checkpoint(self) -> None:
        """Return when all that was recorded survives the death of this machine, if it ever can.

        Raises:
            OSError: It cannot be written; again may help.
        """
        self.store.sync()

    def close(self) -> None:
        """Close the store with the last kernel that uses it."""
        with self._lock:
            if not self._users:
                return
            self._users -= 1
            if self._users:
                return
        try:
            self.store.close()
        except OSError as error:
            _LOG.error("the store of results could not be closed well: %s", error)
