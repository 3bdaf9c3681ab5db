"""``FsspecStaging``: files of object stores and of whatever else fsspec knows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import fsspec

from lamina.staging import (
    PAUSES,
    Direction,
    Mode,
    Place,
    a_mode,
    a_place,
    compare,
    drop,
    measured,
    mode_named,
    option_items,
    persist,
    place_named,
    some_pauses,
)
from lamina.vocabulary import ConfigError, File, StagingFailed

__all__ = ["FsspecStaging"]

_USUAL = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "webdav", "hf", "oss", "dropbox")


@attrs.frozen(kw_only=True)
class FsspecStaging:
    """``s3:``, ``gs:``, ``abfs:`` and the rest, by the library of each that fsspec finds.

    Who one is there is said by the library's own configuration where the transfer runs, such as
    ``~/.aws`` or the variables of the environment, or by ``options``.

    Args:
        protocols: The schemes that it serves.
        options: For the file system of fsspec, such as ``{"anon": True}``. They travel to the
            workers, so better leave secrets to the configuration there.
        mode: ``"separate"``, by a task of its own, or ``"in-task"``.
        where: ``"nodes"``, or ``"client"`` where only the program's host reaches the store.
        pauses: Seconds before each further attempt; there are no more than these.
    """

    protocols: tuple[str, ...] = attrs.field(default=_USUAL, converter=tuple)
    options: Mapping[str, Any] = attrs.field(factory=dict, eq=option_items, repr=False)
    how: str = attrs.field(default="separate", alias="mode", validator=a_mode)
    where: Literal["nodes", "client"] = attrs.field(default="nodes", validator=a_place)
    pauses: tuple[float, ...] = attrs.field(default=PAUSES, converter=some_pauses)

    def __attrs_post_init__(self) -> None:
        known = {*fsspec.available_protocols(), *fsspec.registry}  # and those of the program
        if unknown := sorted(set(self.protocols) - known - set(_USUAL)):
            there = ", ".join(sorted(known))
            msg = f"fsspec knows no protocol {', '.join(unknown)}; it knows {there}"
            raise ConfigError(msg)

    @property
    def name(self) -> str:
        """What messages call it."""
        return "fsspec"

    @property
    def schemes(self) -> frozenset[str]:
        """The ``protocols``."""
        return frozenset(self.protocols)

    @property
    def mode(self) -> Mode:
        """As ``mode`` says."""
        return mode_named(self.how)

    @property
    def place(self) -> Place:
        """As ``where`` says."""
        return place_named(self.where)

    def serves(self, file: File, direction: Direction) -> bool:
        """Every file and directory, both ways."""
        return True

    def version(self, file: File) -> str | None:
        """The ETag or checksum that the store keeps, else the size and the time of change.

        Raises:
            StagingFailed: It is not there, or the store cannot be asked.
        """
        if file.is_directory:
            return None

        def ask(_: int) -> str | None:
            with self._opened(file) as (store, path):
                facts = store.info(path)
            size = facts.get("size")
            for name in ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime"):
                if facts.get(name):
                    return f"{name} {facts[name]} {size}"
            return None

        return persist(ask, self.pauses)

    def fetch(self, file: File, target: Path) -> None:
        """Bring it, and compare its size; of a directory, that of each file.

        Raises:
            StagingFailed: It is not there, or could not be read to its end.
        """

        def once(_: int) -> None:
            drop(target)
            with self._opened(file) as (store, path):
                if file.is_directory:
                    store.get(path.rstrip("/") + "/", f"{target}/", recursive=True)
                    for name, size in _sizes(store, path).items():
                        compare(file, _size(target / name), size, f"have come of {name},")
                    return
                wanted = store.info(path).get("size")
                store.get_file(path, str(target))
            compare(file, measured(target), wanted, "have come")

        persist(once, self.pauses)

    def store(self, source: Path, file: File) -> None:
        """Send it, and compare its size; of a directory, that of each file.

        An object appears whole. A file of a store that has no objects, such as ``webdav:``, and a
        directory may be seen before all of it is there.

        Raises:
            StagingFailed: The store refused it, or has another size in the end.
        """
        if not source.exists():
            raise StagingFailed(f"{source} is not there", url=file.url, again=False)

        def once(_: int) -> None:
            with self._opened(file) as (store, path):
                if source.is_dir():
                    store.put(f"{source}/", path.rstrip("/") + "/", recursive=True)
                    store.invalidate_cache()
                    there = _sizes(store, path)
                    for one in source.rglob("*"):
                        if one.is_file():
                            name = one.relative_to(source).as_posix()
                            size = there.get(name, 0)
                            compare(file, size, _size(one), f"have arrived of {name},")
                    return
                store.put_file(str(source), path)
                store.invalidate_cache(path)
                found = store.info(path).get("size")
            compare(file, found, measured(source), "have arrived")

        persist(once, self.pauses)

    @contextmanager
    def _opened(self, file: File) -> Iterator[tuple[Any, str]]:
        try:
            # Listings of a store are kept by fsspec; a version must be that of now.
            store = fsspec.filesystem(file.scheme, use_listings_cache=False, **self.options)
            yield store, store._strip_protocol(file.url)
        except ImportError as error:
            reason = f"fsspec lacks a library for {file.scheme}: {error}"
            raise StagingFailed(reason, url=file.url, again=False) from error
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StagingFailed(reason, url=file.url, again=False) from error
        except StagingFailed:
            raise
        except Exception as error:  # each library has errors of its own
            reason = f"{type(error).__name__}: {error}"
            raise StagingFailed(reason, url=file.url) from error


def _sizes(store: Any, path: str) -> dict[str, int | None]:
    """The sizes of all files below a directory of a store, by their paths from there."""
    base = path.rstrip("/")
    found = store.find(base, detail=True).items()
    return {name.removeprefix(base).lstrip("/"): facts.get("size") for name, facts in found}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
