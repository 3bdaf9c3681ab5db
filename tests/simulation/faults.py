"""What goes wrong, when, drawn from the seed."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.clockwork import Host, Process

if TYPE_CHECKING:
    from tests.simulation.interchanges import InterchangeProcess
    from tests.simulation.managers import ManagerProcess
    from tests.simulation.world import World

QUIET = 40, 400  # events between two faults
BIG_JUMP = 3600.0  # seconds that a wall clock jumps


class Faults:
    """Chooses a fault every so many events, and can take all of them back."""

    def __init__(self, world: "World") -> None:
        self.world, self.clockwork = world, world.clockwork
        self.seen: dict[str, int] = {}
        self._next = self.clockwork.chance.randint(*QUIET)
        self._kinds: list[tuple[Callable[[], bool], int]] = [
            (self.worker_dies, 4),
            (self.zygote_dies, 1),
            (self.manager_dies, 2),
            (self.manager_dies_at_a_step, 3),
            (self.node_vanishes, 1),
            (self.manager_is_told_to_end, 1),
            (self.interchange_dies, 2),
            (self.interchange_dies_at_a_step, 4),
            (self.connection_breaks, 6),
            (self.partition, 4),
            (self.connection_breaks_for_long, 2),
            (self.slow_link, 2),
            (self.worker_stops, 2),
            (self.manager_stops, 2),
            (self.interchange_stops, 2),
            (self.program_stops, 1),
            (self.host_sleeps, 2),
            (self.wall_clock_jumps, 1),
        ]

    def happen(self) -> None:
        """Let the next fault happen if it is due."""
        if self.clockwork.events < self._next:
            return
        self._next = self.clockwork.events + self.clockwork.chance.randint(*QUIET)
        kinds, weights = zip(*self._kinds, strict=True)
        kind = self.clockwork.chance.choices(kinds, weights)[0]
        if kind():
            self.seen[kind.__name__] = self.seen.get(kind.__name__, 0) + 1
            self.clockwork.note("FAULT", kind.__name__)

    def heal(self) -> None:
        """No more of this: whoever is stopped goes on, and every byte passes."""
        world = self.world
        for manager in world.managers.values():
            manager.fuse = None
            manager.resume()
            for worker in manager.zygote.workers:
                worker.resume()
            self._mend(manager.host)
        link = world.program.link
        if link is not None:
            link.interchange.fuse = None
            link.interchange.resume()
        world.program.resume()

    # Deaths.

    def worker_dies(self) -> bool:
        workers = [worker for each in self.world.living() for worker in each.zygote.workers]
        if not workers:
            return False
        self.clockwork.chance.choice(workers).kill("signal 9")
        return True

    def zygote_dies(self) -> bool:
        self.world.trouble(1.0)
        return self._some_manager(lambda each: each.zygote.die("the zygote was killed"))

    def manager_dies(self) -> bool:
        return self._some_manager(lambda each: each.kill("signal 9"))

    def manager_dies_at_a_step(self) -> bool:
        return self._some_manager(self._light)

    def node_vanishes(self) -> bool:
        return self._some_manager(self.vanish)

    def manager_is_told_to_end(self) -> bool:
        return self._some_manager(self.told_to_end)

    def vanish(self, manager: "ManagerProcess") -> None:
        """All processes of a node are gone at once."""
        manager.kill("the node is gone")
        manager.zygote.die("the node is gone")

    def told_to_end(self, manager: "ManagerProcess") -> None:
        """The batch system asks a block to end."""
        self.world.trouble(1.0)
        manager.told_to_end = True
        if manager.connection is not None:
            manager.wake(self.clockwork.now)

    def interchange_dies(self) -> bool:
        interchange = self._victim()
        if interchange is not None:
            interchange.kill("signal 9")
        return interchange is not None

    def interchange_dies_at_a_step(self) -> bool:
        interchange = self._victim()
        if interchange is not None:
            self._light(interchange)
        return interchange is not None

    def _victim(self) -> "InterchangeProcess | None":
        """The interchange, unless its death would end the world before its time."""
        world = self.world
        link = world.program.link
        if link is None or not link.interchange.alive:
            return None
        if link.epoch + 1 >= world.starts_limit:
            return None
        return link.interchange

    def _light(self, process: Process) -> None:
        process.fuse = self.clockwork.chance.randrange(12)

    # Links.

    def connection_breaks(self) -> bool:
        self.world.trouble(1.0)

        def tear(manager: "ManagerProcess") -> None:
            if manager.connection is not None and manager.connection.up is not None:
                manager.connection.tear()

        return self._some_manager(tear)

    def partition(self) -> bool:
        manager = self._manager(lambda each: not each.host.local and not each.host.cut)
        if manager is None:
            return False
        manager.host.cut = manager.host.troubled = True
        breaks = self.clockwork.likely(0.3)

        def end() -> None:
            if breaks and manager.alive and manager.connection is not None and manager.host.cut:
                manager.connection.tear()
            self._mend(manager.host)

        self.clockwork.at(self.clockwork.now + self._while(), end)
        return True

    def connection_breaks_for_long(self) -> bool:
        """The manager learns at once that its connection is broken, and finds no other."""
        manager = self._manager(lambda each: not each.host.local and not each.host.cut)
        if manager is None or manager.connection is None:
            return False
        host = manager.host
        manager.connection.tear(told=True)
        host.cut = host.troubled = True
        self.clockwork.at(self.clockwork.now + self._while(), lambda: self._mend(host))
        return True

    def slow_link(self) -> bool:
        manager = self._manager(lambda each: not each.host.local)
        if manager is None:
            return False
        host = manager.host
        host.slow = self.clockwork.spread(5.0, 500.0)
        host.gapped = host.troubled = True

        def end() -> None:
            host.slow = 1.0

        self.clockwork.at(self.clockwork.now + self._while(), end)
        return True

    def _mend(self, host: Host) -> None:
        host.cut, host.slow = False, 1.0
        for manager in self.world.living():
            if manager.host is host:
                manager.wake(self.clockwork.now)
        link = self.world.program.link
        if link is not None:
            link.interchange.wake(self.clockwork.now)

    # Time.

    def worker_stops(self) -> bool:
        workers = [worker for each in self.world.living() for worker in each.zygote.workers]
        return bool(workers) and self._stop(self.clockwork.chance.choice(workers))

    def manager_stops(self) -> bool:
        return self._some_manager(self._stop)

    def interchange_stops(self) -> bool:
        link = self.world.program.link
        return link is not None and self._stop(link.interchange)

    def program_stops(self) -> bool:
        return self._stop(self.world.program)

    def host_sleeps(self) -> bool:
        """A whole host sleeps; its monotonic clock sleeps too, or does not."""
        manager = self._manager(lambda each: not each.host.local)
        if manager is None:
            return False
        host = manager.host
        pause = self._while()
        for process in (manager, *manager.zygote.workers):
            self._stop(process, pause)
        if self.clockwork.likely(0.5):
            host.lag += pause
        return True

    def wall_clock_jumps(self) -> bool:
        def jump(manager: "ManagerProcess") -> None:
            manager.host.wall += self.clockwork.chance.choice([-BIG_JUMP, -1.0, 1.0, BIG_JUMP])

        return self._some_manager(jump)

    def _stop(self, process: Process, pause: float = math.nan) -> bool:
        if not process.alive or process.stopped:
            return False
        process.host.gapped = process.host.troubled = True
        process.stop()
        if math.isnan(pause):
            pause = self._while()
        self.clockwork.at(self.clockwork.now + pause, process.resume)
        return True

    # Choices.

    def _while(self) -> float:
        pause = self.clockwork.spread(0.02, 2.5 * self.world.threshold)
        self.world.trouble(pause + 1.0)
        return pause

    def _manager(
        self, fits: "Callable[[ManagerProcess], bool]" = lambda _: True
    ) -> "ManagerProcess | None":
        found = [each for each in self.world.living() if fits(each)]
        return self.clockwork.chance.choice(found) if found else None

    def _some_manager(self, act: "Callable[[ManagerProcess], object]") -> bool:
        manager = self._manager()
        if manager is None:
            return False
        act(manager)
        return True
