"""The kit of ResourceBinder: it runs on a node of four cores that exists on paper only."""

from collections.abc import Iterator, Sequence
from typing import Any

from lamina.conformance.clauses import Kit, clause, expect
from lamina.htex_core import make_plugin, write_plugin
from lamina.resources import (
    Binding,
    NodeFacts,
    Offer,
    ResourceBinder,
)
from lamina.vocabulary import Resources

__all__ = ["RESOURCE_BINDER"]

_NODE = NodeFacts(host="node", cores=(0, 1, 2, 3), memory=8 * 2**30)
_MANY = 10_000


def _wholes(binder: ResourceBinder, offer: Offer) -> Iterator[tuple[str, float]]:
    """Each thing that a task may ask for, and all that there is of it."""
    for name, total in offer.totals().items():
        if name in binder.honours:
            yield name, total


def _ask(name: str, amount: float) -> Resources:
    # Nodes without ranks mean one rank on each.
    given: dict[str, Any] = {name: amount}
    return Resources(**given)


def _give_back(binder: ResourceBinder, bindings: Sequence[Binding | None]) -> None:
    for binding in bindings:
        if binding is not None:
            binder.release(binding)


@clause("binding.offer")
def _offer(binder: ResourceBinder) -> None:
    """It wants a worker at least, and no more of them than the node is told to have."""
    facts = NodeFacts(host="node", cores=(0, 1, 2, 3), memory=2**30, most_workers=1)
    workers = binder.offer(facts).workers
    expect(workers == 1, else_say=f"{workers} workers, where 1 is the most that is wanted")


@clause("binding.travels")
def _travels(binder: ResourceBinder) -> None:
    """Written down and made again elsewhere it is the same binder, and offers the same."""
    again: ResourceBinder = make_plugin(write_plugin(binder, "the binder"))
    expect(again.honours == binder.honours, else_say=f"{again.honours} from {binder.honours}")
    offers = binder.offer(_NODE), again.offer(_NODE)
    expect(offers[0] == offers[1], else_say=f"{offers[0]}, then {offers[1]}")


@clause("binding.refuses")
def _refuses(binder: ResourceBinder) -> None:
    """What the node will never have is refused, with a reason."""
    for name, total in _wholes(binder, binder.offer(_NODE)):
        expect(
            binder.refusal(_ask(name, 2 * total + 1)), else_say=f"no reason, for too many {name}"
        )


@clause("binding.keeps_its_offer")
def _keeps(binder: ResourceBinder) -> None:
    """All that is offered of one thing can be had by one task, where nothing else runs."""
    for name, total in _wholes(binder, binder.offer(_NODE)):
        wanted = _ask(name, total)
        expect(not binder.refusal(wanted), else_say=f"{total:g} {name}: {binder.refusal(wanted)}")
        binding = binder.bind(0, wanted)
        expect(binding is not None, else_say=f"{total:g} {name} are not to be had")
        _give_back(binder, [binding])


@clause("binding.exclusive")
def _exclusive(binder: ResourceBinder) -> None:
    """While one task has all of something, no other gets any of it."""
    offer = binder.offer(_NODE)
    for name, total in _wholes(binder, offer):
        first = binder.bind(0, _ask(name, total))
        second = binder.bind(offer.workers - 1, _ask(name, 1))
        expect(second is None, else_say=f"{name} that another task has")
        _give_back(binder, [first])


@clause("binding.release")
def _release(binder: ResourceBinder) -> None:
    """What has been given back can be had again, however often."""
    for name, total in _wholes(binder, binder.offer(_NODE)):
        for turn in range(100):
            binding = binder.bind(0, _ask(name, total if turn % 2 else 1))
            expect(binding is not None, else_say=f"no {name} any more, in turn {turn}")
            _give_back(binder, [binding])


@clause("binding.places")
def _places(binder: ResourceBinder) -> None:
    """All workers at once can have what their places are due, which is what at_place says."""
    for place in range(binder.offer(_NODE).workers):
        binding = binder.bind(place, None)
        if binding is None:
            expect(False, else_say=f"place {place} gets nothing, though no task asked for anything")
            return
        told = binder.at_place(place)
        same = (told.env, told.cpus) == (binding.env, binding.cpus)
        expect(same, else_say=f"place {place} is told {told}, and gets {binding}")


@clause("binding.room")
def _room(binder: ResourceBinder) -> None:
    """Where a place may have what it is due, a task that waits can be bound beside it."""
    offer = binder.offer(_NODE)
    for name, total in _wholes(binder, offer):
        for amount in {1, total}:
            wanted = _ask(name, amount)
            if not binder.leaves_room(wanted, 0):
                continue
            due = binder.bind(0, None)
            binding = binder.bind(offer.workers - 1, wanted)
            expect(binding is not None, else_say=f"no room for {amount:g} {name}")
            _give_back(binder, [due, binding])


@clause("binding.backlog")
def _backlog(binder: ResourceBinder) -> None:
    """However many tasks cannot be bound, that harms nobody, and each can be once there is room."""
    offer = binder.offer(_NODE)
    for name, total in _wholes(binder, offer):
        all_of_it = binder.bind(0, _ask(name, total))
        for _ in range(_MANY):
            if binder.bind(offer.workers - 1, _ask(name, total)) is not None:
                expect(False, else_say=f"{name} that another task has")
        _give_back(binder, [all_of_it])
        again = binder.bind(0, _ask(name, total))
        expect(again is not None, else_say=f"after {_MANY} tasks in vain, no {name} any more")
        _give_back(binder, [again])


@clause("binding.binding")
def _binding(binder: ResourceBinder) -> None:
    """A binding is environment variables, text to text, and perhaps some cores of the node."""
    offer = binder.offer(_NODE)
    bindings = [binder.at_place(0)]
    bindings += [
        binding
        for name, total in _wholes(binder, offer)
        if (binding := binder.bind(0, _ask(name, min(total, 1)))) is not None
    ]
    for binding in bindings:
        text = all(isinstance(part, str) for pair in binding.env.items() for part in pair)
        expect(text, else_say=f"the variables {dict(binding.env)!r}")
        strangers = set(binding.cpus or ()) - set(_NODE.cores)
        expect(not strangers, else_say=f"the cores {sorted(strangers)}")
        expect(binding.cpus != (), else_say="no core at all")


RESOURCE_BINDER = Kit(
    "resource_binder",
    "ResourceBinder",
    1,
    (
        _offer,
        _travels,
        _refuses,
        _keeps,
        _exclusive,
        _release,
        _places,
        _room,
        _backlog,
        _binding,
    ),
)
