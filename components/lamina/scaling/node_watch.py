"""Which node is bad: it compares how often tasks fail on one with how often they do elsewhere.

A node that fails whatever it is given is soon free again, so it is given the next task, and the
next: it eats the queue. Counting failures does not tell it from tasks that are wrong, which fail
everywhere. So nodes are compared, app by app:

- Nothing is noted down until a task fails somewhere; then its place is a *suspect*.
- Whatever ends from then on is noted, with when it began. A suspect is judged by the apps that
  failed on it, against tasks of the same apps that began elsewhere after its first failure: those
  came from the same part of the queue. An app that has not succeeded elsewhere says nothing.
- Wrong tasks come in runs, and one place may get a whole run while the others are busy. So all
  that fails on a suspect between two tasks that began elsewhere and succeeded is one *trial*: a
  run of wrong tasks is one, however long it is, and a bad node has one after the other.
- Other places that fail the app as well do not excuse it, as long as no more of them fail it than
  do well: there may be two bad ones.
- Its failures must be many, far more frequent than elsewhere, and more than chance explains.

It is told of *places*, each a manager on a node. All times are seconds on one clock.
"""

import itertools
import math
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import attrs

from lamina.scaling.quarantine import Quarantine, SetAside, surprise

__all__ = ["NodeWatch", "trials_of"]

DOUBT = math.log(1e5)  # chance explains it no better than once in so many times
NOTED = 64  # outcomes of an app that are kept for each place
ENOUGH = 200  # outcomes elsewhere, after which no further place is looked at
TRIALS = 40  # of an app that are looked at, the latest
APPS = 256  # apps that are kept
LOOKED_AT = 50  # other places, those that were heard of last
HOUR = 3600.0


@attrs.define
class _Record:
    """What has become of one app on a suspect: counts, and when some of the tasks began."""

    done: int = 0
    failed: int = 0
    done_at: list[float] = attrs.field(factory=list)
    failed_at: list[float] = attrs.field(factory=list)

    def count(self, began: float, *, failed: bool) -> None:
        if failed:
            self.failed += 1
        else:
            self.done += 1
        times = self.failed_at if failed else self.done_at
        times.append(began)
        if len(times) > 2 * NOTED:
            del times[::2]  # fewer, and still of the whole time


@attrs.define
class _Suspect:
    since: float
    """When the first task that failed on it had begun."""
    last: float
    """When the last one failed."""
    apps: dict[str, _Record] = attrs.field(factory=dict)
    heard: int = 0
    """How many tasks have failed on it."""
    judge_at: int = 0
    """How many there must be before it is judged again."""

    def count(self, app: str, began: float, *, failed: bool) -> None:
        record = self.apps.get(app)
        if record is None:
            record = self.apps[app] = _Record()
            if len(self.apps) > APPS:
                del self.apps[next(iter(self.apps))]
        record.count(began, failed=failed)


class _Elsewhere(NamedTuple):
    failed: int
    ran: int
    succeeded_at: list[float]
    """When those began that succeeded."""


@attrs.define
class NodeWatch:
    """The places of one executor, and what has become of the tasks there."""

    rules: Quarantine
    _nodes: dict[str, str] = attrs.field(factory=dict, init=False)
    """The node of each place."""
    _places: dict[str, set[str]] = attrs.field(factory=dict, init=False)
    """The places of each node."""
    _aside: set[str] = attrs.field(factory=set, init=False)
    _bad: dict[str, float] = attrs.field(factory=dict, init=False)
    """Nodes that were set aside, and when."""
    _lifted: set[str] = attrs.field(factory=set, init=False)
    """Nodes that somebody vouches for."""
    _times: deque[float] = attrs.field(factory=deque, init=False)
    _suspects: OrderedDict[str, _Suspect] = attrs.field(factory=OrderedDict, init=False)
    """Those that failed last come last."""
    _notes: OrderedDict[str, OrderedDict[str, deque[tuple[float, bool]]]] = attrs.field(
        factory=OrderedDict, init=False
    )
    """For each app and place, when tasks began and whether they failed; the latest come last."""

    @property
    def awake(self) -> bool:
        """Whether it wants to hear of successes."""
        return bool(self._suspects)

    def came(self, place: str, node: str, now: float) -> bool:
        """A manager is there. True if its node was set aside lately, and none there does well."""
        there = self._places.setdefault(node, set())
        well = not there <= self._aside
        there.add(place)
        self._nodes[place] = node
        again = now - self._bad.get(node, -math.inf) <= self.rules.window and not well
        if again:
            self._aside.add(place)
        return again

    def went(self, place: str) -> None:
        """A manager is gone."""
        node = self._nodes.pop(place, "")
        there = self._places.get(node, set())
        there.discard(place)
        if not there:
            self._places.pop(node, None)
        self._aside.discard(place)
        self._suspects.pop(place, None)
        for places in self._notes.values():
            places.pop(place, None)

    def lift(self, node: str) -> list[str]:
        """Let a node have tasks again, and never set it aside. Its places that were."""
        self._lifted.add(node)
        self._bad.pop(node, None)
        there = self._places.get(node, set())
        found = sorted(there & self._aside)
        self._aside -= there
        for place in there:
            self._suspects.pop(place, None)
        return found

    def succeeded(self, place: str, app: str, began: float, now: float) -> None:
        """A task has ended well; while it is not ``awake`` nobody needs to tell it."""
        if not self._suspects or place in self._aside:
            return
        self._note(place, app, began, failed=False)
        suspect = self._suspects.get(place)
        if suspect is not None:
            suspect.count(app, began, failed=False)

    def failed(self, place: str, app: str, began: float, now: float) -> SetAside | None:
        """A task has failed in a way for which the node may be to blame; perhaps the verdict."""
        node = self._nodes.get(place)
        if node is None or place in self._aside or self.rules.limit == 0:
            return None
        self._forgive(now)
        self._note(place, app, began, failed=True)
        suspect = self._suspects.get(place)
        if suspect is None:
            suspect = self._suspects[place] = _Suspect(began, now)
        self._suspects.move_to_end(place)
        suspect.last = now
        suspect.heard += 1
        suspect.count(app, began, failed=True)
        if suspect.heard < max(self.rules.least, suspect.judge_at):
            return None
        # A verdict costs more the more places there are, and where all fail there are many.
        suspect.judge_at = suspect.heard + max(1, suspect.heard // 8)
        if node in self._lifted or not self._may_spare():
            return None
        verdict = self._judge(place, node, suspect)
        return None if verdict is None else self._pronounce(verdict, now)

    # Decisions.

    def _forgive(self, now: float) -> None:
        """Forget suspects that have been well for long, and all notes when there is none."""
        while self._suspects:
            place = next(iter(self._suspects))
            if now - self._suspects[place].last <= self.rules.window:
                return
            del self._suspects[place]
        self._notes.clear()

    def _note(self, place: str, app: str, began: float, *, failed: bool) -> None:
        places = self._notes.get(app)
        if places is None:
            places = self._notes[app] = OrderedDict()
            if len(self._notes) > APPS:
                self._notes.popitem(last=False)
        notes = places.get(place)
        if notes is None:
            notes = places[place] = deque(maxlen=NOTED)
        notes.append((began, failed))
        places.move_to_end(place)
        self._notes.move_to_end(app)

    def _may_spare(self) -> bool:
        """Whether half of the places are left without one more."""
        return 2 * (len(self._aside) + 1) <= len(self._nodes)

    def _judge(self, place: str, node: str, suspect: _Suspect) -> SetAside | None:
        rules = self.rules
        found = []
        for app, record in suspect.apps.items():
            others = self._elsewhere(app, place, suspect.since) if record.failed else None
            if others is not None:
                found.append((app, record, others))
        failed = sum(record.failed for _, record, _ in found)
        if failed < rules.least:
            return None
        bad = trials = 0
        expected = 0.0
        for _, record, others in found:
            fails, all_ = trials_of(record.failed_at, record.done_at, others.succeeded_at)
            bad += fails
            trials += all_
            # Few successes do not prove that nothing ever fails.
            expected += all_ * (others.failed + 1) / (others.ran + 2)
        expected /= trials
        if bad / trials < max(rules.rate, rules.times * expected):
            return None
        if surprise(bad, trials, expected) < DOUBT:
            return None
        return SetAside(
            place=place,
            node=node,
            failed=failed,
            ran=failed + sum(record.done for _, record, _ in found),
            failed_elsewhere=sum(others.failed for _, _, others in found),
            ran_elsewhere=sum(others.ran for _, _, others in found),
            apps=tuple(app for app, _, _ in found),
        )

    def _elsewhere(self, app: str, place: str, since: float) -> _Elsewhere | None:
        """What became of an app where it does well; None if that says nothing."""
        failed = well = ill = seen = 0
        succeeded_at: list[float] = []
        heard_of = reversed(self._notes.get(app, OrderedDict()).items())
        for other, notes in itertools.islice(heard_of, LOOKED_AT):
            if other == place or other in self._aside:
                continue
            ends = [(began, bad) for began, bad in notes if began >= since]
            if not ends:
                continue
            seen += len(ends)
            bads = sum(bad for _, bad in ends)
            if bads >= self.rules.rate * len(ends):
                ill += 1
            else:
                well += 1
                failed += bads
                succeeded_at += [began for began, bad in ends if not bad]
            if seen >= ENOUGH:
                break
        if ill > well or len(succeeded_at) < self.rules.evidence:
            return None
        return _Elsewhere(failed, failed + len(succeeded_at), sorted(succeeded_at))

    def _pronounce(self, verdict: SetAside, now: float) -> SetAside:
        while self._times and now - self._times[0] > HOUR:
            self._times.popleft()
        self._aside.add(verdict.place)
        self._suspects.pop(verdict.place, None)
        if len(self._times) >= self.rules.limit:
            return attrs.evolve(verdict, over_limit=True)
        self._times.append(now)
        self._bad[verdict.node] = now
        return verdict


def trials_of(
    failed_at: Iterable[float], done_at: Iterable[float], elsewhere: Sequence[float]
) -> tuple[int, int]:
    """How many of how many trials have failed, the latest ``TRIALS``.

    All are times at which tasks began. What fell between two of ``elsewhere``, which are in
    order, is one trial that failed, one that succeeded, or one of each.
    """
    failed = {bisect_left(elsewhere, began) for began in failed_at}
    done = {bisect_left(elsewhere, began) for began in done_at}
    latest = sorted(failed | done)[-TRIALS:]
    bad = sum(gap in failed for gap in latest)
    return bad, bad + sum(gap in done for gap in latest)
