"""``NodeBinder``: the cores, memory and accelerators of one node."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import attrs

from lamina.resources.accelerators import (
    FAMILIES,
    check_accelerators,
    names_of,
    seen_in,
    visibility,
)
from lamina.resources.affinity import (
    check_affinity,
    cores_of_workers,
    listed_cores,
    preferred_order,
)
from lamina.resources.protocol import Binding, NodeFacts, Offer
from lamina.resources.units import Share, Units
from lamina.vocabulary import ConfigError, Resources

__all__ = ["NodeBinder"]

_DUST = 1e-9


class _Taken(NamedTuple):
    cores: float
    memory: float
    pinned: Sequence[Share]
    accelerators: Sequence[Share]
    due: bool


def _family(_: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
    if value is not None and value not in FAMILIES:
        known = ", ".join(map(repr, FAMILIES))
        msg = f"{attribute.name} is {value!r}; it must be one of {known}, or None"
        raise ConfigError(msg)


def _more_than_nothing(_: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        msg = f"{attribute.name} is {value!r}; it must be more than 0"
        raise ConfigError(msg)


@attrs.define(kw_only=True)
class NodeBinder:
    """Shares out one node by counting, and binds to cores and accelerators where asked to.

    Args:
        cores_per_worker: What a worker is due, and holds while its tasks ask for nothing.
        mem_per_worker: Bytes of memory likewise; None where memory does not limit workers.
        cpu_affinity: How workers are bound to cores: ``"none"``, ``"block"``,
            ``"block-reverse"``, ``"alternating"`` or ``"list:0,1:2,3"``.
        available_accelerators: How many there are, or their names; a worker is due one each.
        accelerator_family: ``"cuda"``, ``"rocm"`` or ``"level_zero"``; None to look at the node.
    """

    cores_per_worker: float = attrs.field(default=1.0, validator=_more_than_nothing)
    mem_per_worker: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_more_than_nothing)
    )
    cpu_affinity: str = attrs.field(default="none")
    available_accelerators: int | Sequence[str] = attrs.field(default=())
    accelerator_family: str | None = attrs.field(default=None, validator=_family)

    _node: NodeFacts | None = attrs.field(default=None, init=False, eq=False, repr=False)
    _total: Offer = attrs.field(factory=lambda: Offer(workers=0), init=False, eq=False, repr=False)
    _cores: float = attrs.field(default=0.0, init=False, eq=False, repr=False)
    """Not held by anybody."""
    _memory: float = attrs.field(default=0.0, init=False, eq=False, repr=False)
    _cores_due: float = attrs.field(default=0.0, init=False, eq=False, repr=False)
    """Held by workers whose tasks ask for nothing."""
    _memory_due: float = attrs.field(default=0.0, init=False, eq=False, repr=False)
    _order: list[int] = attrs.field(factory=list, init=False, eq=False, repr=False)
    """The cores that can be pinned, in the order of the units."""
    _pins: Units | None = attrs.field(default=None, init=False, eq=False, repr=False)
    _devices: Units = attrs.field(factory=lambda: Units(0), init=False, eq=False, repr=False)
    _names: list[str] = attrs.field(factory=list, init=False, eq=False, repr=False)
    _places: list[tuple[Sequence[Share], Sequence[Share]]] = attrs.field(
        factory=list, init=False, eq=False, repr=False
    )
    """Of each place: which pinned cores it is due, and which accelerators."""

    @cpu_affinity.validator
    def _can_be_read(self, _: object, affinity: object) -> None:
        check_affinity(affinity)

    @available_accelerators.validator
    def _are_named(self, _: object, given: object) -> None:
        check_accelerators(given)

    @property
    def honours(self) -> frozenset[str]:
        """Cores and memory, and accelerators where some are named."""
        more = {"accelerators"} if names_of(self.available_accelerators) else set[str]()
        return frozenset({"cores", "memory"} | more)

    def offer(self, node: NodeFacts) -> Offer:
        """As many workers as what each is due allows, one at least.

        Who says how many there should be, and nothing of their cores, gets as many as that.

        Raises:
            ConfigError: ``cpu_affinity`` names cores that the node has not.
        """
        self._node = node
        seen = seen_in(node.env, self._families(node))
        named = names_of(self.available_accelerators, seen)
        limits = []
        if node.most_workers is None or self.cores_per_worker != 1:
            limits.append(int(len(node.cores) / self.cores_per_worker + _DUST))
        if self.mem_per_worker is not None and node.memory:
            limits.append(node.memory // self.mem_per_worker)
        if named:
            limits.append(len(named))
        if self.cpu_affinity.startswith("list:"):
            limits.append(len(listed_cores(self.cpu_affinity)))
        if node.most_workers is not None:
            limits.append(node.most_workers)
        workers = max(1, min(limits))
        self._names = list(dict.fromkeys(named))
        self._devices = Units(len(self._names))
        self._order = preferred_order(self.cpu_affinity, node.cores)
        pinned = cores_of_workers(self.cpu_affinity, node.cores, workers)
        self._pins = None if pinned is None else Units(len(self._order))
        self._places = self._dues(pinned, named, workers)
        self._total = Offer(
            workers=workers,
            cores=len(node.cores if pinned is None else self._order),
            memory=node.memory,
            accelerators=len(self._names),
        )
        self._cores, self._memory = float(self._total.cores), float(node.memory)
        return self._total

    def refusal(self, wanted: Resources) -> str:
        """What is asked for beyond what the node has."""
        total = self._total
        if wanted.nodes > 1 or wanted.ranks > 1 or wanted.extra:
            what = "ranks on nodes" if wanted.nodes or wanted.ranks else ", ".join(wanted.extra)
            return f"{what}, which this executor does not hand out"
        if wanted.accelerators > 1 and wanted.accelerators % 1:
            return f"{wanted.accelerators:g} accelerators; ask for a part of one, or for whole ones"
        lacking = []
        if wanted.cores > total.cores:
            lacking.append(f"{wanted.cores:g} cores, of which there are {total.cores:g}")
        if wanted.memory > total.memory:
            there = f"{total.memory / 2**30:.1f}"
            lacking.append(f"{wanted.memory / 2**30:.1f} GiB of memory, of which there are {there}")
        if wanted.accelerators > total.accelerators:
            there = f"{total.accelerators:g}"
            lacking.append(f"{wanted.accelerators:g} accelerators, of which there are {there}")
        return "; ".join(lacking)

    def at_place(self, place: int) -> Binding:
        """The cores and the accelerator of this place."""
        pins, devices = self._places[place]
        return self._binding(pins, devices, None)

    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        """Count, and pick cores and accelerators where those are told apart."""
        due = wanted is None
        cores = self._core_due(place) if wanted is None else wanted.cores
        memory = float(self.mem_per_worker or 0) if wanted is None else float(wanted.memory)
        if cores > self._cores + _DUST or memory > self._memory:
            return None
        pins = self._take_pins(place, wanted)
        if pins is None:
            return None
        devices = self._take_devices(place, wanted)
        if devices is None:
            if self._pins is not None:
                self._pins.give_back(pins, due=due)
            return None
        self._count(-cores, -memory, due=due)
        return self._binding(pins, devices, _Taken(cores, memory, pins, devices, due))

    def release(self, binding: Binding) -> None:
        """All of it is free again."""
        taken: _Taken = binding.taken
        self._count(taken.cores, taken.memory, due=taken.due)
        if self._pins is not None:
            self._pins.give_back(taken.pinned, due=taken.due)
        self._devices.give_back(taken.accelerators, due=taken.due)

    def leaves_room(self, wanted: Resources, place: int) -> bool:
        """Whether there is enough beside what all places hold, this one among them."""
        pins, devices = self._places[place]
        cores = self._cores_due + self._core_due(place)
        memory = self._memory_due + (self.mem_per_worker or 0)
        return (
            (not wanted.cores or cores + wanted.cores <= self._total.cores + _DUST)
            and (not wanted.memory or memory + wanted.memory <= self._total.memory)
            and self._devices.leave_room(wanted.accelerators, devices)
            and (self._pins is None or self._pins.leave_room(wanted.cores, pins))
        )

    def _families(self, node: NodeFacts) -> Collection[str]:
        return node.devices if self.accelerator_family is None else {self.accelerator_family}

    def _core_due(self, place: int) -> float:
        """Never more than its part of what there is, so that all places can be served at once."""
        return min(self.cores_per_worker, self._total.cores / self._total.workers)

    def _count(self, cores: float, memory: float, *, due: bool) -> None:
        self._cores += cores
        self._memory += memory
        if due:
            self._cores_due -= cores
            self._memory_due -= memory

    def _take_pins(self, place: int, wanted: Resources | None) -> Sequence[Share] | None:
        if self._pins is None:
            return ()
        if wanted is not None:
            return self._pins.take(wanted.cores)
        shares = self._places[place][0]
        return shares if self._pins.take_due(shares) else None

    def _take_devices(self, place: int, wanted: Resources | None) -> Sequence[Share] | None:
        if wanted is not None:
            return self._devices.take(wanted.accelerators)
        shares = self._places[place][1]
        return shares if self._devices.take_due(shares) else None

    def _dues(
        self, pinned: list[tuple[int, ...]] | None, named: Sequence[str], workers: int
    ) -> list[tuple[Sequence[Share], Sequence[Share]]]:
        """What several places are due is shared among them."""
        pinned = pinned or [()] * workers
        at = {core: n for n, core in enumerate(self._order)}
        on_core = [sum(core in cores for cores in pinned) for core in self._order]
        names = [named[n : n + 1] for n in range(workers)]
        on_name = [sum(name in some for some in names) for name in self._names]
        device = {name: n for n, name in enumerate(self._names)}
        return [
            (
                [(at[core], 1 / on_core[at[core]]) for core in pinned[n]],
                [(device[name], 1 / on_name[device[name]]) for name in names[n]],
            )
            for n in range(workers)
        ]

    def _binding(
        self, pins: Sequence[Share], devices: Sequence[Share], taken: _Taken | None
    ) -> Binding:
        node = self._node
        assert node is not None, "offer comes first"
        env: dict[str, str] = {}
        if self._names and (devices or taken is not None):
            # A task that asked for something, but for no accelerator, is to see none.
            env = visibility([self._names[n] for n, _ in devices], self._families(node))
        cpus = tuple(sorted(self._order[n] for n, _ in pins)) or None
        threads = len(cpus) if cpus else int(taken.cores) if taken and not taken.due else 0
        if threads and "OMP_NUM_THREADS" not in node.env:
            env["OMP_NUM_THREADS"] = str(threads)
        return Binding(env, cpus, taken)
