"""The kit of Staging: files that come whole, and go whole or not at all."""

import pickle
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lamina.conformance.clauses import Kit, clause, expect
from lamina.staging import Direction, Staging
from lamina.vocabulary import File, StagingFailed

__all__ = ["STAGING", "StagingBench"]

_CONTENT = bytes(range(256)) * 4096 + b"the end"


class StagingBench(Protocol):
    """**Protocol:** a plug-in, and the other side as whoever looks after that sees it."""

    @property
    def plugin(self) -> Staging:
        """The plug-in."""
        ...

    def put(self, name: str, content: bytes) -> File:
        """Have a file on the other side, and say its URL."""
        ...

    def file(self, name: str) -> File:
        """The URL of a file, be it there or not."""
        ...

    def get(self, name: str) -> bytes:
        """What is in a file on the other side."""
        ...

    def close(self) -> None:
        """Take the other side down."""
        ...


@contextmanager
def _open(bench: StagingBench) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield Path(folder)
        finally:
            bench.close()


def _refused(bench: StagingBench, file: File, target: Path) -> StagingFailed | None:
    try:
        bench.plugin.fetch(file, target)
    except StagingFailed as error:
        return error
    return None


@clause("staging.value")
def _value(bench: StagingBench) -> None:
    """It is a value: it pickles, equals its copy, and names its schemes in small letters."""
    with _open(bench):
        plugin = bench.plugin
        copy = pickle.loads(pickle.dumps(plugin))
        expect(copy == plugin, else_say=f"{copy!r} for {plugin!r}")
        small = plugin.schemes and all(one == one.lower() and one for one in plugin.schemes)
        expect(small and plugin.name, else_say=f"{plugin.name!r}, {plugin.schemes!r}")


@clause("staging.serves")
def _serves(bench: StagingBench) -> None:
    """It serves files of its schemes in one direction at least, whether they are there or not."""
    with _open(bench):
        file = bench.file("none")
        served = [one for one in Direction if bench.plugin.serves(file, one)]
        expect(served and file.scheme in bench.plugin.schemes, else_say=f"{file.url}: {served}")


@clause("staging.fetch")
def _fetch(bench: StagingBench) -> None:
    """A file is brought byte for byte, an empty one too, whatever its name."""
    with _open(bench) as folder:
        for name, content in (("one", _CONTENT), ("empty", b""), ("two words+1.txt", b"x")):
            file = bench.put(name, content)
            bench.plugin.fetch(file, folder / "new")
            found = (folder / "new").read_bytes()
            expect(found == content, else_say=f"{len(found)} other bytes for {file.url}")
            (folder / "new").unlink()


@clause("staging.fetch.part")
def _part(bench: StagingBench) -> None:
    """The beginning of a file, left by an attempt that broke off, is completed or replaced."""
    with _open(bench) as folder:
        file = bench.put("one", _CONTENT)
        (folder / "new").write_bytes(_CONTENT[:1000])
        bench.plugin.fetch(file, folder / "new")
        found = (folder / "new").read_bytes()
        expect(found == _CONTENT, else_say=f"{len(found)} bytes of {len(_CONTENT)}")


@clause("staging.fetch.missing")
def _missing(bench: StagingBench) -> None:
    """What is not there is a StagingFailed that names it and says that again will not help."""
    with _open(bench) as folder:
        file = bench.file("none")
        error = _refused(bench, file, folder / "new")
        expect(error is not None, else_say="no error")
        assert error is not None
        expect(error.url == file.url and not error.again, else_say=repr(error.args))
        copy = pickle.loads(pickle.dumps(error))
        expect(str(copy) == str(error), else_say="its facts do not survive pickle")


@clause("staging.version")
def _version(bench: StagingBench) -> None:
    """One content of a file has one version, another content another, or none has any."""
    with _open(bench):
        file = bench.put("one", b"first")
        first, again = bench.plugin.version(file), bench.plugin.version(file)
        expect(first == again, else_say=f"{first!r}, {again!r}")
        bench.put("one", b"second, and longer")
        second = bench.plugin.version(file)
        expect(second != first or first is None, else_say=f"{first!r} for both")


@clause("staging.store")
def _store(bench: StagingBench) -> None:
    """A file is taken away byte for byte and replaces what was there, if it goes that way."""
    with _open(bench) as folder:
        file = bench.file("out.bin")
        if not bench.plugin.serves(file, Direction.OUT):
            return
        for content in (b"old, and longer than the new", b"", _CONTENT):
            (folder / "made").write_bytes(content)
            bench.plugin.store(folder / "made", file)
            found = bench.get("out.bin")
            expect(found == content, else_say=f"{len(found)} bytes of {len(content)}")


@clause("staging.store.missing")
def _no_source(bench: StagingBench) -> None:
    """What cannot be read here is a StagingFailed, and leaves nothing on the other side."""
    with _open(bench) as folder:
        file = bench.file("out.bin")
        if not bench.plugin.serves(file, Direction.OUT):
            return
        try:
            bench.plugin.store(folder / "none", file)
        except StagingFailed:
            try:
                bench.get("out.bin")
            except Exception:  # whatever the bench raises for what is not there
                return
            expect(False, else_say="a file on the other side")
        expect(False, else_say="no error")


@clause("staging.at_once")
def _at_once(bench: StagingBench) -> None:
    """Several transfers at once do not disturb each other."""
    with _open(bench) as folder:
        files = [bench.put(f"part{number}", bytes([number]) * 50_000) for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            targets = [folder / f"new{number}" for number in range(4)]
            list(pool.map(bench.plugin.fetch, files, targets))
        for number, target in enumerate(targets):
            found = target.read_bytes()
            expect(found == bytes([number]) * 50_000, else_say=f"other bytes in {files[number]}")


STAGING = Kit(
    "staging",
    "Staging",
    1,
    (
        _value,
        _serves,
        _fetch,
        _part,
        _missing,
        _version,
        _store,
        _no_source,
        _at_once,
    ),
)
