"""What an executor would do, said before it does it.

The submit script is no imitation: the provider itself writes it, with a channel that takes down
what it is told to run and runs nothing.
"""

import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from lamina.channels import ChannelError, Completed
from lamina.executors_htex.blocks import block_request
from lamina.executors_htex.luggage import luggage_of, taker_of
from lamina.executors_htex.settings import Settings
from lamina.plugins import ConfigErrors, Mistake
from lamina.providers import ProviderError
from lamina.resources import Binding, NodeFacts, read_node
from lamina.vocabulary import BlockId, ConfigError

__all__ = ["ExecutorPlan", "plan_of"]

_GIB = 2**30


@attrs.frozen(kw_only=True)
class ExecutorPlan:
    """What one executor would do. ``str()`` is for people."""

    label: str
    provider: str
    init_blocks: int
    min_blocks: int
    max_blocks: int
    nodes_per_block: int
    workers_per_node: int | None
    """None where only the node itself can tell."""
    cores_per_worker: float
    memory_per_worker: int | None
    """Bytes; None where memory does not limit the number of workers."""
    places: Sequence[Binding]
    """What each worker of a node is bound to, as far as it can be told from here."""
    link: str
    codec: str
    submitted_with: str
    """The command that submits a block; empty where the provider has none."""
    script: str
    """What it submits."""

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def plan_of(settings: Settings) -> ExecutorPlan:
    """Make the plan of an executor with these settings.

    Raises:
        ConfigErrors: Options contradict each other; the text names each, and what would work.
    """
    node = _node(settings)
    if mistakes := [Mistake(settings.label, says) for says in _contradictions(settings, node)]:
        raise ConfigErrors(mistakes)
    workers = settings.max_workers_per_node
    places: tuple[Binding, ...] = ()
    if node is not None:
        binder = settings.binder()
        workers = binder.offer(node).workers
        places = tuple(binder.at_place(place) for place in range(workers))
    provider = settings.provider
    command, script = _submission(settings)
    return ExecutorPlan(
        label=settings.label,
        provider=provider.label,
        init_blocks=max(provider.init_blocks, provider.min_blocks),
        min_blocks=provider.min_blocks,
        max_blocks=provider.max_blocks,
        nodes_per_block=provider.nodes_per_block,
        workers_per_node=workers,
        cores_per_worker=settings.cores_per_worker,
        memory_per_worker=settings.mem_per_worker,
        places=places,
        link=_link(settings),
        codec=settings.codec_name.rpartition(":")[2],
        submitted_with=command,
        script=script,
    )


def _node(settings: Settings) -> NodeFacts | None:
    """A node as the provider will ask for it; None where nobody can tell from here."""
    provider, most = settings.provider, settings.max_workers_per_node
    if provider.blocks_are_local:
        return read_node(most)
    cores = getattr(provider, "cores_per_node", None)
    if cores is None:
        return None
    memory = getattr(provider, "mem_per_node", None) or 0
    return NodeFacts(host="node", cores=tuple(range(cores)), memory=memory, most_workers=most)


def _contradictions(settings: Settings, node: NodeFacts | None) -> Iterator[str]:
    """What cannot come out as it is written, each with what would."""
    provider = settings.provider
    if not provider.init_blocks and not provider.min_blocks and not provider.parallelism:
        yield (
            "init_blocks, min_blocks and parallelism are all 0, so that one block is the most "
            "that there will be, and only once there is work; make init_blocks 1"
        )
    walltime = getattr(provider, "walltime", None)
    if walltime is not None and walltime <= settings.max_idletime and provider.min_blocks == 0:
        yield (
            f"max_idletime is {settings.max_idletime:g} s and a block ends after {walltime:g} s, "
            f"so no block is ever given back; make max_idletime {walltime / 2:g} s or less"
        )
    if node is None:
        return
    cores = len(node.cores)
    if settings.resource_binder is None and settings.cores_per_worker > cores:
        yield (
            f"cores_per_worker is {settings.cores_per_worker:g} and a node has {cores}; make it "
            f"{cores} or less, or ask for nodes that have more"
        )
        return
    try:
        fit = settings.binder().offer(attrs.evolve(node, most_workers=None)).workers
    except ConfigError as error:
        yield str(error)
        return
    most = settings.max_workers_per_node
    if most is not None and most > fit and not provider.blocks_are_local:
        yield (
            f"max_workers_per_node is {most}, and on the {cores} cores of a node there is room "
            f"for {fit}; make it {fit}, or ask for more cores_per_node, or make "
            f"cores_per_worker {cores / most:g}"
        )


def _link(settings: Settings) -> str:
    bind = settings.bind()
    if bind is None:
        return "a Unix socket that nobody else can open"
    where = bind.partition("?")[0].replace("//*", "//each address of this host", 1)
    where = where.replace(":*", ", a free port")
    return f"{where}, {'encrypted' if settings.encrypted else 'not encrypted'}"


class _TakenDown(ChannelError):
    """The command was taken down, and not run."""


class _Secretary:
    """A channel that takes down the first command, and runs none."""

    def __init__(self) -> None:
        self.command: Sequence[str] = ()
        self.stdin = ""

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Completed:
        self.command, self.stdin = command, stdin
        raise _TakenDown(command[0], "this is a plan")

    def put(self, local: Path, remote: str) -> None:
        """Move nothing."""

    def get(self, remote: str, local: Path) -> None:
        """Move nothing."""

    def make_directory(self, remote: str) -> None:
        """Make nothing."""

    def close(self) -> None:
        """Hold nothing."""


def _submission(settings: Settings) -> tuple[str, str]:
    """The command that submits the first block, and the script that it submits."""
    provider: Any = settings.provider
    with tempfile.TemporaryDirectory(prefix="lamina-plan-") as directory:
        place = Path(directory)
        (place / "blocks").mkdir()
        request = block_request(settings.label, place, BlockId("0"))
        if (taker := taker_of(provider)) is not None:
            luggage = luggage_of(request, taker, files={})
            request = attrs.evolve(request, luggage=luggage)
            return taker.described(request)
        if provider.blocks_are_local or not hasattr(provider, "channel"):
            launcher = getattr(provider, "launcher", None)
            launched = request.command
            if launcher is not None:
                launched = launcher(request.command, 1, provider.nodes_per_block)
            before = getattr(provider, "worker_init", "")
            return "", _placed("\n".join(filter(None, (before, launched))), directory)
        secretary = _Secretary()
        try:
            attrs.evolve(provider, channel=secretary).submit(request)
        except ProviderError:
            pass  # that is how a command ends that was only taken down
        scripts = [secretary.stdin, *(path.read_text() for path in place.glob("blocks/*.sh"))]
        script = next((text for text in scripts if text), "")
        command = shlex.join(secretary.command)
        return _placed(command, directory), _placed(script, directory)


def _placed(text: str, directory: str) -> str:
    """The text with a word for the directory that only a real run has."""
    return text.replace(str(Path(directory).resolve()), "RUN_DIR").replace(directory, "RUN_DIR")


def _lines(plan: ExecutorPlan) -> Iterator[str]:
    def row(name: str, says: str) -> str:
        return f"  {name:16}{says}".rstrip()

    yield f"executor {plan.label!r}, on provider {plan.provider!r}"
    yield row("blocks", f"{plan.init_blocks} at the start, {plan.min_blocks} to {plan.max_blocks}")
    yield row("nodes", f"{plan.nodes_per_block} in each block, with one manager on each")
    count = plan.workers_per_node
    yield row(
        "workers", "as many as each node has room for" if count is None else f"{count} a node"
    )
    yield row("cores", f"{plan.cores_per_worker:g} for each worker")
    memory = plan.memory_per_worker
    each = "not limited" if memory is None else f"{memory / _GIB:g} GiB for each worker"
    yield row("memory", each)
    bound = [(n, place) for n, place in enumerate(plan.places) if place.cpus or place.env]
    if not bound:
        yield row("binding", "none to cores, none to accelerators")
    for number, place in bound:
        cores = f"cores {','.join(map(str, place.cpus))}" if place.cpus else "any core"
        env = "".join(f", {name}={value}" for name, value in sorted(place.env.items()))
        yield row(f"worker {number}", cores + env)
    yield row("link", plan.link)
    yield row("codec", plan.codec)
    yield row("submitted with", plan.submitted_with or "nothing: it is run here")
    yield row("script", "")
    yield from (f"    | {line}".rstrip() for line in plan.script.rstrip().splitlines())
