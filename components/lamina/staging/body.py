"""What runs on the worker around a task whose files are staged."""

import contextlib
import copy
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lamina.app_bodies import BashBody, MissingOutputs, PythonBody, StdStream
from lamina.staging.cache import safe_name
from lamina.staging.carrying import Content, read_content, write_content
from lamina.staging.checks import naming
from lamina.staging.desk import Desk, is_pattern, matching
from lamina.staging.protocol import Staging
from lamina.staging.slots import filled
from lamina.vocabulary import File, HasStarted

__all__ = ["Carried", "Inbound", "Outbound", "StagedBody", "store_all"]


class Inbound(NamedTuple):
    """A file that the task reads. One without plug-in, key and content is here already."""

    file: File
    plugin: Staging | None = None
    """What brings it here, unless it is here."""
    key: str | None = None
    """Of its copy, where that is known already."""
    content: Content | None = None
    """All that is in it, where that came with the call."""


class Outbound(NamedTuple):
    """A file that the task is to write."""

    file: File
    plugin: Staging | None = None
    """What takes it away from here; None where somebody else does."""
    kept: str | None = None
    """The directory in which somebody else will look for it; None where it is carried."""


class Carried(NamedTuple):
    """A result, and with it the content of outputs by their number."""

    value: Any
    contents: dict[int, Content]


@dataclass(eq=False, slots=True)
class StagedBody:
    """Calls a function with files that are here, and takes away what it has written."""

    function: Callable[..., Any]
    name: str
    desk: Desk
    inputs: tuple[Inbound, ...] = ()
    outputs: tuple[Outbound, ...] = ()
    sandbox: bool = False
    """Whether it runs in a directory of its own, which is removed afterwards."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it.

        Raises:
            StagingFailed: A file could not be brought, or taken away.
            MissingOutputs: The function did not write what it had declared.
        """
        with contextlib.ExitStack() as stack:
            inputs = [_opened(stack, self.desk, inbound) for inbound in self.inputs]
            paths: list[Path] = []
            inside: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
            if self.outputs or self.sandbox:
                with naming(f"the directory of {self.name}", HasStarted.NO):
                    room = stack.enter_context(self.desk.room())
                    paths = _places(room, self.outputs, sandbox=self.sandbox)
                inside = contextlib.chdir(room) if self.sandbox else inside
            outs = zip(self.outputs, paths, strict=True)
            # In the order of their slots.
            files = [*(_at(out.file, path) for out, path in outs), *inputs]
            with inside:
                function = _with_streams(self.function, self.outputs, paths)
                value = function(*filled(args, files), **filled(kwargs, files))
            contents = _taken(self.name, self.outputs, paths)
        return Carried(value, contents) if contents else value


def _opened(stack: contextlib.ExitStack, desk: Desk, inbound: Inbound) -> File:
    """The file, with the path at which it can be opened here."""
    file, plugin, key, content = inbound
    if plugin is None and key is None:
        return _at(file, Path(os.path.abspath(file.path)))
    if key is None:
        assert plugin is not None
        key = desk.key(file, plugin)
    fetch = None if plugin is None else plugin.fetch
    if content is not None:

        def fetch(file: File, target: Path) -> None:
            write_content(content, target)

    return _at(file, stack.enter_context(desk.holding(file, key, fetch)))


def _places(room: Path, outputs: tuple[Outbound, ...], *, sandbox: bool) -> list[Path]:
    """Where the task is to write its outputs; no two are the same.

    In a sandbox they have the names by which a program would know them: relative paths as they
    are, and of others the last part.
    """
    places: list[Path] = []
    for number, out in enumerate(outputs):
        path = room / f"outputs-{number}" / _own_name(out.file)
        if sandbox:
            relative = out.file.scheme == "file" and not os.path.isabs(out.file.path)
            wanted = os.path.normpath(out.file.path) if relative else _own_name(out.file)
            inside = room / wanted
            if not wanted.startswith("..") and inside not in places:
                path = inside
        path.parent.mkdir(parents=True, exist_ok=True)
        places.append(path)
    return places


def _with_streams(
    function: Callable[..., Any], outputs: tuple[Outbound, ...], paths: list[Path]
) -> Callable[..., Any]:
    """The function, with its standard streams going to where those outputs are written."""
    if not isinstance(function, BashBody | PythonBody):
        return function
    places = {}
    for out, path in zip(outputs, paths, strict=True):
        places[out.file.path if out.file.scheme == "file" else out.file.url] = str(path)
    changed = copy.copy(function)
    changed.stdout = _led(function.stdout, places)
    changed.stderr = _led(function.stderr, places)
    return changed


def _led(stream: StdStream | None, places: Mapping[str, str]) -> StdStream | None:
    if stream is None or stream.path not in places:
        return stream
    return stream._replace(path=places[stream.path])


def _own_name(file: File) -> str:
    return file.filename if is_pattern(file) else safe_name(file)


def _taken(name: str, outputs: tuple[Outbound, ...], paths: list[Path]) -> dict[int, Content]:
    missing = [
        out.file.url
        for out, path in zip(outputs, paths, strict=True)
        if not (matching(path) if is_pattern(out.file) else path.exists())
    ]
    if missing:
        raise MissingOutputs(name, missing)
    contents = {}
    for number, (out, path) in enumerate(zip(outputs, paths, strict=True)):
        with naming(out.file.url, HasStarted.YES):
            if out.plugin is not None:
                store_all(out.plugin, path, out.file)
            elif out.kept is not None:
                kept = Path(out.kept)
                kept.mkdir(mode=0o700, parents=True, exist_ok=True)
                for one in matching(path) if is_pattern(out.file) else [path]:
                    shutil.move(one, kept / one.name)
            else:
                contents[number] = read_content(path, out.file)
    return contents


def store_all(plugin: Staging, path: Path, file: File) -> None:
    """Take away a file, or each one that matches.

    Raises:
        StagingFailed: One could not be taken away.
    """
    if not is_pattern(file):
        plugin.store(path, file)
        return
    above, slash, _ = file.url.rpartition("/")
    for found in matching(path):
        plugin.store(found, File(f"{above}{slash}{found.name}"))


def _at(file: File, path: Path) -> File:
    here = file.cleancopy()
    here.local_path = str(path)
    return here
