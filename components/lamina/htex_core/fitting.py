"""The interchange's tasks that ask for something of a node, and what each manager has left.

Managers say what they have in all, and what the tasks that they hold ask for is subtracted
here: only roughly, for it is the manager's binder that decides. A task goes where it fits now,
or else to a manager that will have enough and has no such task waiting already; there it is the
next. So no manager hoards tasks that another could run, and a wide one is not passed over.

A task that asks for more than anybody has goes to any manager, which refuses it with its reasons.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

import attrs

from lamina.htex_core.frames import WireTask

__all__ = ["Fitting"]

LOOK = 16  # managers of one kind that are looked at for one that has enough just now
FAR_LOOK = 1024  # managers that are looked at for so many that may have the task at all
ALIKE = 128  # amounts below this are told apart as they are

_Amounts: TypeAlias = Mapping[str, float]
May: TypeAlias = Callable[[str, WireTask], bool]
_Kind: TypeAlias = frozenset[tuple[str, float]]


@attrs.define(eq=False)
class _Node:
    kind: _Kind
    offer: _Amounts
    left: dict[str, float]
    taken: dict[int, _Amounts] = attrs.field(factory=dict)
    room: bool = False

    @property
    def candidate(self) -> bool:
        return self.room and all(amount >= 0 for amount in self.left.values())


@attrs.define(eq=False)
class Fitting:
    """Tasks that ask, and managers by what they offer."""

    waiting: OrderedDict[int, WireTask] = attrs.field(factory=OrderedDict, init=False)
    """Those that no manager has been given, the oldest first."""
    _nodes: dict[str, _Node] = attrs.field(factory=dict, init=False)
    _candidates: dict[_Kind, OrderedDict[str, None]] = attrs.field(factory=dict, init=False)
    """Of each kind, the managers with room and without a task that waits; in turn."""
    _numbers: Counter[_Kind] = attrs.field(factory=Counter, init=False)
    """How many managers there are of each kind."""

    def came(self, uid: str, offer: _Amounts, held: Collection[int]) -> None:
        """A manager is there, or there again with what it holds of what it was given."""
        before = self._nodes.pop(uid, None)
        kind = frozenset((name, _rounded(amount)) for name, amount in offer.items())
        node = self._nodes[uid] = _Node(kind, offer, dict(offer))
        self._numbers[kind] += 1
        self._candidates.setdefault(kind, OrderedDict())
        if before is not None:
            self._forget(uid, before)
            for attempt, wanted in before.taken.items():
                if attempt in held:
                    self._subtract(node, attempt, wanted)

    def gone(self, uid: str) -> None:
        """A manager is not there any more."""
        self._forget(uid, self._nodes.pop(uid))

    def placed(self, uid: str, *, room: bool) -> None:
        """Whether a manager has room for one more task."""
        node = self._nodes[uid]
        if node.room != room:
            node.room = room
            self._sort(uid, node)

    def given(self, uid: str, wire: WireTask) -> None:
        """A manager has been given a task."""
        node = self._nodes[uid]
        self._subtract(node, wire[0], _wanted(wire))
        self._sort(uid, node)

    def concerns(self, uid: str) -> bool:
        """Whether a manager has been given a task that asks and has not ended."""
        return bool(self._nodes[uid].taken)

    def ended(self, uid: str, attempts: Iterable[int]) -> None:
        """A manager holds these no longer."""
        node = self._nodes[uid]
        if not node.taken:
            return
        for attempt in attempts:
            for name, amount in node.taken.pop(attempt, {}).items():
                node.left[name] = node.left.get(name, 0) + amount
        if not node.taken:
            node.left = dict(node.offer)  # and what fractions have left behind is gone
        self._sort(uid, node)

    def choose(self, wire: WireTask, may: May = lambda uid, wire: True) -> str | None:
        """Who is to have a task; None while it has to wait here.

        ``may`` says whether somebody may have it at all.
        """
        wanted = _wanted(wire)
        able = [kind for kind in self._candidates if _fits(wanted, dict(kind))]
        second: str | None = None
        for kind in able or self._candidates:
            candidates = self._candidates[kind]
            allowed = (uid for uid in islice(candidates, FAR_LOOK) if may(uid, wire))
            for uid in islice(allowed, LOOK):
                if _fits(wanted, self._nodes[uid].left) or not able:
                    candidates.move_to_end(uid)
                    return uid
                second = second or uid
        return second

    def possible(self, wire: WireTask) -> bool:
        """Whether anybody has in all what a task asks for."""
        return any(_fits(_wanted(wire), dict(kind)) for kind in self._candidates)

    def matches(self, may: May = lambda uid, wire: True) -> Iterator[tuple[WireTask, str]]:
        """Tasks that wait, the oldest first, and who is to have each; they wait no more.

        One that has to wait is passed over, but only by a few: it waits for another kind of
        node than they.
        """
        passed = 0
        while passed < LOOK and len(self.waiting) > passed and any(self._candidates.values()):
            wire = next(islice(self.waiting.values(), passed, None))
            uid = self.choose(wire, may)
            if uid is None:
                passed += 1
                continue
            del self.waiting[wire[0]]
            self.given(uid, wire)
            yield wire, uid

    def _forget(self, uid: str, node: _Node) -> None:
        self._candidates[node.kind].pop(uid, None)
        self._numbers[node.kind] -= 1
        if not self._numbers[node.kind]:
            del self._numbers[node.kind], self._candidates[node.kind]

    def _subtract(self, node: _Node, attempt: int, wanted: _Amounts) -> None:
        node.taken[attempt] = wanted
        for name, amount in wanted.items():
            node.left[name] = node.left.get(name, 0) - amount

    def _sort(self, uid: str, node: _Node) -> None:
        if node.candidate:
            self._candidates[node.kind].setdefault(uid)
        else:
            self._candidates[node.kind].pop(uid, None)

    def check(self) -> None:
        """Assert what holds after every event; for tests."""
        found = {uid for some in self._candidates.values() for uid in some}
        assert found == {uid for uid, node in self._nodes.items() if node.candidate}
        for node in self._nodes.values():
            for name, total in node.offer.items():
                taken = sum(wanted.get(name, 0) for wanted in node.taken.values())
                assert abs(node.left[name] + taken - total) < 1e-6 * max(1, total)


def _rounded(amount: float) -> float:
    """Down to eight binary digits: no two nodes have the same memory to the byte.

    Who asks for more than this and less than all of it is taken for one of whom nobody has
    enough, and may be refused by a manager that is not the largest.
    """
    if amount < ALIKE:
        return amount
    whole = int(amount)
    shift = whole.bit_length() - ALIKE.bit_length() + 1
    return whole >> shift << shift


def _wanted(wire: WireTask) -> _Amounts:
    """What can be counted of what a task asks for; the rest is the binder's alone."""
    asked = wire[3]["resources"]
    return {name: amount for name, amount in asked.items() if isinstance(amount, int | float)}


def _fits(wanted: _Amounts, there: _Amounts) -> bool:
    return all(amount <= there.get(name, 0) for name, amount in wanted.items())
