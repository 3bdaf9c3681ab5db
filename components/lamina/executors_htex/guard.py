"""Sets bad nodes aside, and says so: what surrounds the machine that finds them."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence

import attrs

from lamina.executors import Outcome, Site
from lamina.executors_htex.settings import Settings
from lamina.htex_core import ManagerCame, ManagerInfo, ManagerWent
from lamina.scaling import BLAMED, NodeWatch, Quarantine, SetAside
from lamina.vocabulary import Event, UsageError

__all__ = ["Guard", "QuarantinedNode", "guard_of"]

_LOG = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class QuarantinedNode:
    """A node that gets no more tasks, and why."""

    node: str
    block: str
    manager: str
    reason: str
    since: float
    """When it was set aside, in seconds since the epoch."""


class Guard:
    """Hears how tasks end on which manager, and lets those of bad nodes leave.

    ``drain`` takes managers that are to leave; ``hold`` and ``unhold`` take a block. Of these
    methods the delivery thread calls those that hear something, and any thread the others.
    """

    def __init__(
        self,
        settings: Settings,
        rules: Quarantine,
        site: Site,
        *,
        drain: Callable[[Collection[str]], None],
        hold: Callable[[str], None],
        unhold: Callable[[str], None],
    ) -> None:
        self._watch = NodeWatch(rules)
        self._rules, self._label, self._site = rules, settings.label, site
        self._alone = settings.provider.nodes_per_block == 1
        self._drain, self._hold, self._unhold = drain, hold, unhold
        self._lock = threading.Lock()
        self._aside: dict[str, QuarantinedNode] = {}
        """By manager; they are kept after it has left."""
        self._held: dict[str, str] = {}
        """The block of each manager whose block is on hold because of it."""

    @property
    def awake(self) -> bool:
        """Whether successes interest it as well."""
        return self._watch.awake

    # What it hears.

    def hear(self, news: ManagerCame | ManagerWent) -> None:
        """A manager has come or gone."""
        if isinstance(news, ManagerCame):
            self._came(news.manager)
        else:
            self._went(news.manager)

    def _came(self, manager: ManagerInfo) -> None:
        # Its node may have been set aside before.
        with self._lock:
            again = self._watch.came(manager.uid, manager.host, time.monotonic())
        if not again:
            return
        reason = f"it was set aside within the last {self._rules.window:g} s"
        if self._alone:
            # To give it back would be to get it again, as it is free. So it is kept, and idle.
            with self._lock:
                self._held[manager.uid] = manager.block
            self._hold(manager.block)
            done = f"block {manager.block} is on hold"
        else:
            self._drain([manager.uid])
            done = f"its manager in block {manager.block} leaves"
        self._set_aside(manager, f"{reason}, and has come again", done, {})

    def _went(self, manager: ManagerInfo) -> None:
        with self._lock:
            self._watch.went(manager.uid)
            self._held.pop(manager.uid, None)

    def ended(self, manager: ManagerInfo, app: str, outcome: Outcome) -> None:
        """A task has ended there."""
        now = time.monotonic()
        # The clock of the node need not be that of this host; how long it took is the same.
        start = now - _duration(outcome)
        failure = outcome.failure
        with self._lock:
            if failure is None:
                self._watch.succeeded(manager.uid, app, start, now)
                return
            if failure.cause not in BLAMED:
                return
            verdict = self._watch.failed(manager.uid, app, start, now)
        if verdict is not None:
            self._act(manager, verdict)

    # What one may ask.

    def quarantined(self) -> Sequence[QuarantinedNode]:
        """All that were set aside, oldest first, but for those that were lifted."""
        with self._lock:
            return list(self._aside.values())

    def lift(self, node: str) -> None:
        """Let a node have tasks again, and never set it aside.

        Raises:
            UsageError: It is not set aside.
        """
        with self._lock:
            ours = [uid for uid, one in self._aside.items() if one.node == node]
            if not ours:
                there = ", ".join(sorted({one.node for one in self._aside.values()})) or "none"
                msg = f"executor {self._label!r} has not set node {node!r} aside; it has: {there}"
                raise UsageError(msg)
            self._watch.lift(node)
            for uid in ours:
                del self._aside[uid]
            blocks = {self._held.pop(uid) for uid in ours if uid in self._held}
        for block in sorted(blocks):
            self._unhold(block)
        self._emit("node.lifted", {"node": node})

    # What it does.

    def _act(self, manager: ManagerInfo, verdict: SetAside) -> None:
        facts = {
            "failed": verdict.failed,
            "ran": verdict.ran,
            "failed_elsewhere": verdict.failed_elsewhere,
            "ran_elsewhere": verdict.ran_elsewhere,
            "apps": list(verdict.apps),
        }
        if not verdict.over_limit:
            self._drain([manager.uid])
            done = f"its manager in block {manager.block} leaves when what it runs has ended"
            self._set_aside(manager, verdict.evidence, done, facts)
            return
        _LOG.error(
            "executor %r: node %s looks bad (%s), but %d nodes were set aside within an hour, and "
            "quarantine limit=%d allows no more: something else must be wrong. It keeps its tasks",
            self._label,
            manager.host,
            verdict.evidence,
            self._rules.limit,
            self._rules.limit,
        )
        self._emit("node.suspect", {"node": manager.host, "block": manager.block, **facts})

    def _set_aside(
        self, manager: ManagerInfo, reason: str, done: str, facts: dict[str, object]
    ) -> None:
        one = QuarantinedNode(
            node=manager.host,
            block=manager.block,
            manager=manager.uid,
            reason=reason,
            since=self._site.clock.wall(),
        )
        with self._lock:
            self._aside[manager.uid] = one
        _LOG.warning(
            "executor %r sets node %s aside: %s. It gets no more tasks, and %s. "
            "lift_quarantine(%r) of the executor lets the node have tasks again, and "
            "quarantine=None switches this off",
            self._label,
            manager.host,
            reason,
            done,
            manager.host,
        )
        where = {"node": manager.host, "block": manager.block, "manager": manager.uid}
        self._emit("node.quarantined", {**where, "reason": reason, **facts})

    def _emit(self, kind: str, facts: dict[str, object]) -> None:
        if self._site.emit is not None:
            facts["executor"] = self._label
            self._site.emit([Event(self._site.clock.wall(), kind, facts)])


def guard_of(
    settings: Settings,
    site: Site,
    *,
    drain: Callable[[Collection[str]], None],
    hold: Callable[[str], None],
    unhold: Callable[[str], None],
) -> Guard | None:
    """The guard of one run; None where no node is to be set aside."""
    rules = settings.quarantine
    if rules is None or rules.limit == 0:
        return None
    return Guard(settings, rules, site, drain=drain, hold=hold, unhold=unhold)


def _duration(outcome: Outcome) -> float:
    """Seconds for which its code ran, as far as that is known."""
    began, ended = outcome.began, outcome.ended
    return 0.0 if began is None or ended is None else max(0.0, ended - began)
