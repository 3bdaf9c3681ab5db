"""How the files of one attempt are moved: what is done before it, around it and after it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import attrs

from lamina.app_bodies import BashBody
from lamina.executors import Call
from lamina.staging import (
    Carried,
    Choice,
    Content,
    Desk,
    Direction,
    FileCopyStaging,
    Inbound,
    Outbound,
    Registry,
    Slot,
    StagedBody,
    Staging,
    Way,
    bring,
    bring_content,
    replaced,
    take,
    take_content,
)
from lamina.vocabulary import ConfigError, File

__all__ = ["Errand", "Plan", "Reach", "files_of", "plan_of"]

_COPY = FileCopyStaging(where="nodes")


class Reach(NamedTuple):
    """What one executor can do about files."""

    label: str
    registry: Registry
    shared: bool
    """Whether its tasks see the program's files."""
    own_processes: bool
    desk: Desk


class Errand(NamedTuple):
    """A task that is to move a file."""

    name: str
    url: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    on_client: bool
    number: int
    """Of the input or output that it moves."""


@attrs.define(eq=False)
class Plan:
    """How the files of one attempt are moved."""

    body: StagedBody
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    before: list[Errand]
    after: dict[int, Choice]
    """The outputs that tasks of their own take away."""
    home: Desk
    """Where the program's host puts files."""
    futures: Sequence[Future[Any]] = ()
    """Of the tasks that move files now."""
    keys: Sequence[tuple[Any, ...]] = ()
    """By which the stager knows them."""
    value: Any = None
    """The result, while its files are taken away."""

    def call(self) -> Call:
        """The call as the worker is to make it."""
        return Call(self.body, self.args, self.kwargs)

    def came(self, number: int, key: str, content: Any) -> None:
        """An input has been brought."""
        inputs = list(self.body.inputs)
        inputs[number] = inputs[number]._replace(key=key, content=content)
        self.body.inputs = tuple(inputs)

    def errands_after(self, value: Any) -> list[Errand]:
        """The tasks that take away what the function has written, now that it has a result."""
        contents: dict[int, Content] = {}
        if isinstance(value, Carried):
            value, contents = value
        self.value = value
        errands = []
        for number, (plugin, way) in self.after.items():
            out = self.body.outputs[number]
            file, name = out.file, f"stage-out {out.file.url}"
            if way is Way.CARRIED:
                args: tuple[Any, ...] = (file, plugin, contents[number])
                errands.append(Errand(name, file.url, take_content, args, True, number))
            else:
                args = (file, plugin, out.kept)
                errands.append(Errand(name, file.url, take, args, way is Way.CLIENT, number))
        return errands


def files_of(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], outputs: Sequence[File]
) -> list[File]:
    """The files that a task reads: all in its arguments that are not its outputs."""
    found: list[File] = []

    def note(file: File) -> File:
        found.append(file)
        return file

    _walk(args, kwargs, outputs, lambda file: file, note)
    return found


def plan_of(
    task: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outputs: Sequence[File],
    *,
    reach: Reach,
    home: Desk,
    attempt: str,
    sandbox: bool,
) -> Plan | None:
    """How the files of an attempt are moved; None where all are opened where they are.

    Raises:
        NoStaging: Nothing can move one of them.
        ConfigError: It asks for a sandbox where tasks share a process.
    """
    if sandbox and not reach.own_processes:
        msg = (
            f"{task} asks for sandbox=True, which executor {reach.label!r} cannot give it, because "
            "its tasks share a process, and so the directory. Use a HighThroughputExecutor"
        )
        raise ConfigError(msg)
    outs, after, out_slots = _outputs(outputs, reach, attempt, sandbox=sandbox)
    inputs: list[Inbound] = []
    before: list[Errand] = []
    slots: dict[tuple[Any, ...], File | Slot] = {}

    def arrange(file: File) -> File | Slot:
        facts = (file.url, file.checksum, file.size)
        if facts not in slots:
            slots[facts] = _input(file, reach, home, inputs, before, len(outs), sandbox=sandbox)
        return slots[facts]

    args, kwargs = _walk(args, kwargs, outputs, lambda file: out_slots[file.url], arrange)
    if not inputs and not outs and not sandbox:
        return None
    if isinstance(function, BashBody):  # it looks only for those that stay where they are
        left = tuple(file for file in outputs if out_slots[file.url] is file)
        function = dataclasses.replace(function, outputs=left)
    body = StagedBody(function, task, reach.desk, tuple(inputs), tuple(outs), sandbox)
    return Plan(body, args, kwargs, before, after, home)


def _walk(
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outputs: Sequence[File],
    output: Callable[[File], Any],
    other: Callable[[File], Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with each file changed: the declared outputs in one way, all else in another.

    An output is one by being that very object, or by its URL within the keyword ``outputs``.
    """
    ours, urls = set(map(id, outputs)), {file.url for file in outputs}

    def change(file: File) -> Any:
        return output(file) if id(file) in ours else other(file)

    def change_output(file: File) -> Any:
        return output(file) if file.url in urls else other(file)

    return replaced(args, change), {
        name: replaced(value, change_output if name == "outputs" else change)
        for name, value in kwargs.items()
    }


def _outputs(
    files: Sequence[File], reach: Reach, attempt: str, *, sandbox: bool
) -> tuple[list[Outbound], dict[int, Choice], dict[str, File | Slot]]:
    outs: list[Outbound] = []
    after: dict[int, Choice] = {}
    slots: dict[str, File | Slot] = {}
    for file in files:
        if file.url in slots:
            continue
        choice = reach.registry.choose(file, Direction.OUT, reach.label, shared=reach.shared)
        if choice.way is Way.IN_PLACE:
            if not sandbox:
                slots[file.url] = file
                continue
            choice = Choice(_COPY, Way.IN_TASK)
        slots[file.url] = Slot(len(outs))
        plugin: Staging | None = None
        kept = None
        if choice.way is Way.IN_TASK:
            plugin = choice.plugin
        else:
            after[len(outs)] = choice
            if choice.way is not Way.CARRIED:
                kept = f"{reach.desk.folder}/kept/{reach.desk.run}/{attempt}-{len(outs)}"
        outs.append(Outbound(file, plugin, kept))
    return outs, after, slots


def _input(
    file: File,
    reach: Reach,
    home: Desk,
    inputs: list[Inbound],
    before: list[Errand],
    first: int,
    *,
    sandbox: bool,
) -> File | Slot:
    plugin, way = reach.registry.choose(file, Direction.IN, reach.label, shared=reach.shared)
    number = len(inputs)
    if way is Way.IN_PLACE:
        if not sandbox:
            return file
        inputs.append(Inbound(file))
    elif way is Way.IN_TASK:
        inputs.append(Inbound(file, plugin))
    else:
        carried = way is Way.CARRIED
        # What a task of its own has brought the worker finds in the cache, or brings again.
        inputs.append(Inbound(file, plugin if way is Way.SEPARATE else None))
        function = bring_content if carried else bring
        desk = home if carried else reach.desk
        name = f"stage-in {file.url}"
        on_client = way is not Way.SEPARATE
        errand = Errand(name, file.url, function, (file, plugin, desk), on_client, number)
        before.append(errand)
    return Slot(first + number)
