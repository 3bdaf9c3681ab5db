from typing import Any

import attrs

from lamina.conformance import RESOURCE_BINDER
from lamina.resources import Binding, NodeBinder, NodeFacts, Offer
from lamina.vocabulary import Resources
from tests.kits import assert_each_clause_can_fail, what_is_found


@attrs.define(kw_only=True)
class Greedy(NodeBinder):
    def offer(self, node: NodeFacts) -> Offer:
        return super().offer(attrs.evolve(node, most_workers=None))


@attrs.define(kw_only=True)
class Forgetful(NodeBinder):
    secret: int = attrs.field(default=4, init=False)

    def offer(self, node: NodeFacts) -> Offer:
        return super().offer(attrs.evolve(node, cores=node.cores[: self.secret]))


@attrs.define(kw_only=True)
class Agreeing(NodeBinder):
    def refusal(self, wanted: Resources) -> str:
        return ""


@attrs.define(kw_only=True)
class Boasting(NodeBinder):
    def offer(self, node: NodeFacts) -> Offer:
        offer = super().offer(node)
        return attrs.evolve(offer, cores=offer.cores + 1)


@attrs.define(kw_only=True)
class Generous(NodeBinder):
    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        return Binding({})

    def release(self, binding: Binding) -> None:
        pass


@attrs.define(kw_only=True)
class Leaking(NodeBinder):
    times: int = attrs.field(default=0, init=False)

    def release(self, binding: Binding) -> None:
        self.times += 1
        if self.times != 50:
            super().release(binding)


@attrs.define(kw_only=True)
class Unfair(NodeBinder):
    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        return None if wanted is None and place else super().bind(place, wanted)


@attrs.define(kw_only=True)
class Careless(NodeBinder):
    def leaves_room(self, wanted: Resources, place: int) -> bool:
        return True


@attrs.define(kw_only=True)
class Piling(NodeBinder):
    """It does for each task in vain what a backlog that calls itself does."""

    vain: int = attrs.field(default=0, init=False)

    def bind(self, place: int, wanted: Resources | None) -> Binding | None:
        binding = super().bind(place, wanted)
        self.vain += binding is None
        return self.again(self.vain) if binding is None else binding

    def again(self, depth: int) -> None:
        return self.again(depth - 1) if depth else None


@attrs.define(kw_only=True)
class Numeric(NodeBinder):
    def at_place(self, place: int) -> Binding:
        env: Any = {"THREADS": 3}
        return Binding(env)


def forgetful() -> Forgetful:
    binder = Forgetful()
    binder.secret = 2
    return binder


def test_each_clause_can_fail() -> None:
    assert_each_clause_can_fail(
        RESOURCE_BINDER,
        {
            "binding.offer": Greedy,
            "binding.travels": forgetful,
            "binding.refuses": Agreeing,
            "binding.keeps_its_offer": Boasting,
            "binding.exclusive": Generous,
            "binding.release": Leaking,
            "binding.places": Unfair,
            "binding.room": Careless,
            "binding.backlog": Piling,
            "binding.binding": Numeric,
        },
    )


def test_what_is_given_twice_is_named() -> None:
    for clause in ("binding.exclusive", "binding.backlog"):
        assert what_is_found(RESOURCE_BINDER, clause, Generous) == "cores that another task has"
