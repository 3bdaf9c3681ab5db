"""One block, as its keeper knows it."""

import attrs

from lamina.blocks.effects import Turned
from lamina.blocks.states import TRANSITIONS, WAITING, BlockState
from lamina.vocabulary import BlockId, JobId

__all__ = ["Block", "Order"]

FIRST_AGAIN, LONGEST_AGAIN = 60.0, 600.0  # seconds until an order to end is given again


@attrs.define
class Order:
    """What this program has told a job: to end."""

    lost: bool
    """Because its managers were gone and it went on."""
    given_at: float
    """When it was given, the first time."""
    again_at: float
    times: int = 1

    def given_again(self, now: float) -> None:
        """It was, and will be once more after twice the time."""
        self.again_at = now + min(LONGEST_AGAIN, FIRST_AGAIN * 2.0 ** min(self.times, 20))
        self.times += 1


@attrs.define(eq=False)
class Block:
    """Times are seconds on one monotonic clock."""

    name: BlockId
    waited_until: float
    """The last moment at which it was known not to run yet."""
    state: BlockState = BlockState.REQUESTED
    reason: str = ""
    job: JobId | None = None
    managers: dict[str, int] = attrs.field(factory=dict)
    """The slots of each, by its name."""
    came_at: float | None = None
    """When its first manager registered, since it was last queued."""
    idle_since: float | None = None
    lost_since: float | None = None
    """Since when its last manager is gone, and its job not known to have ended."""
    drained_since: float | None = None
    """Since when its managers are given no more tasks."""
    unwanted: bool = False
    """Whether that is because it is wanted no more."""
    order: Order | None = None
    proven: bool = False
    """Whether it has been seen to last."""

    @property
    def waiting(self) -> bool:
        """Whether no manager of it has come."""
        return self.came_at is None

    @property
    def stays(self) -> bool:
        """Whether tasks may be run in it, now or later."""
        return self.lost_since is None and self.drained_since is None and self.order is None

    @property
    def slots(self) -> int:
        """Those of all its managers."""
        return sum(self.managers.values())

    def may_turn(self, state: BlockState) -> bool:
        """Whether that is to be believed."""
        # While a manager is connected, the word of a waiting block is an old one.
        return state in TRANSITIONS[self.state] and not (self.managers and state in WAITING)

    def turn(
        self, state: BlockState, reason: str = "", exit_code: int | None = None
    ) -> list[Turned]:
        """Stand there from now on, if that is news and to be believed; a new reason is news too."""
        if state is self.state and not state.over and reason not in ("", self.reason):
            self.reason = reason
            return [Turned(self.name, self.job, state, reason)]
        if not self.may_turn(state):
            return []
        self.state, self.reason = state, reason
        return [Turned(self.name, self.job, state, reason, exit_code)]

    def came(self, manager: str, slots: int, now: float) -> list[Turned]:
        """A manager has registered from it."""
        self.managers[manager] = slots
        self.lost_since = None
        self._drains_no_more()
        if self.came_at is None:
            self.came_at, self.idle_since = now, None
        return self.turn(BlockState.RUNNING, "a node of it has come")

    def queued(self, now: float) -> None:
        """It waits, for the first time or again."""
        self.waited_until = now
        self._drains_no_more()
        if self.came_at is not None or self.lost_since is not None:
            self.came_at = self.lost_since = self.idle_since = None

    def _drains_no_more(self) -> None:
        """Those that drained of their own accord are not all that there are, or will be."""
        if not self.unwanted:
            self.drained_since = None

    def lived(self, now: float) -> float | None:
        """For how long a node of it was there; None if none ever was."""
        return None if self.came_at is None else now - self.came_at

    def died_young(self, now: float, young: float) -> bool:
        """Whether an end now is one before its time."""
        return not self.proven and (self.came_at is None or now - self.waited_until < young)

    def proves_itself(self, now: float, young: float) -> bool:
        """Whether it has lasted, and that is news."""
        if self.proven or not self.managers or self.died_young(now, young):
            return False
        self.proven = True
        return True
