"""One world: a program, its interchange, its managers, their workers, and what befalls them."""

import gc
import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from lamina.htex_core import (
    BlockIdManagerSelector,
    ClientMachine,
    Ended,
    FewestFreeManagerSelector,
    FirstInFirstOut,
    Frame,
    InterchangeMachine,
    ManagerMachine,
    ManagerSelector,
    MostFreeManagerSelector,
    PriorityFirst,
    QueueOrder,
    RandomManagerSelector,
    ShortestFirst,
    TurnManagerSelector,
)
from lamina.htex_core.endings import block_margin
from lamina.htex_core.frames import RESULTS
from tests.simulation.clockwork import BEGIN, Clockwork, Host, Process, Violation, Wire
from tests.simulation.faults import Faults
from tests.simulation.interchanges import InterchangeProcess
from tests.simulation.managers import Connection, ManagerProcess
from tests.simulation.program import Program
from tests.simulation.truth import FIRST, Attempt, Truth
from tests.simulation.workers import DEATH, Worker

ALIVE = 30  # tasks that are unresolved at any time, at the least
MANY = 200
MANAGERS = 3
SLACK = 0.1  # seconds for what was on its way when a node fell silent
FEW_STARTS = 3  # of the interchange within a minute
PATIENCE = 100.0  # virtual seconds until one more task has to resolve, once no more fault comes
CORES = 4  # the most that a node has, and every task can be bound somewhere
LIMIT = 2**30  # bytes of memory
ORDERS = [None, None, PriorityFirst(), FirstInFirstOut(), ShortestFirst()]
SELECTORS: list[Callable[[], ManagerSelector]] = [
    TurnManagerSelector,
    RandomManagerSelector,
    FewestFreeManagerSelector,
    MostFreeManagerSelector,
    BlockIdManagerSelector,
]
DIGESTS = [b"a function no. %d" % number for number in range(4)]
FOR_EVER = 300.0  # virtual seconds
IDLE = 1.0  # seconds that a task may wait with a manager while workers have nothing to do
STEPS = 100  # of any process for each event; beyond that nothing goes on any more


class Machines(NamedTuple):
    """The machines of a world; those with a planted bug can be put in their place."""

    client: Callable[..., ClientMachine] = ClientMachine
    interchange: Callable[..., InterchangeMachine] = InterchangeMachine
    manager: Callable[..., ManagerMachine] = ManagerMachine


class Summary(NamedTuple):
    """What a seed has seen."""

    events: int
    seconds: float
    attempts: int
    starts: int
    outcomes: dict[str, int]
    faults: dict[str, int]
    ending: str
    drains: int
    """Managers that were drained to the end."""
    bounds: int
    """How often a stated bound was measured, nothing else having gone wrong meanwhile."""
    said_too_early: int
    tasks_alive: float
    managers_alive: float


class World:
    """One seed."""

    def __init__(self, seed: int, machines: Machines | None = None) -> None:
        self.seed = seed
        self.machines = machines or Machines()
        self.clockwork = clockwork = Clockwork(seed)
        chance = clockwork.chance
        self.wire = Wire(real=seed % 8 == 0)
        self.truth = Truth()
        self.home = Host("home", local=True)
        self.profile = chance.choice(["long", "mixed", "short"])
        self.period = chance.choice([0.5, 1.0, 2.0, 5.0])
        self.threshold = 4 * self.period
        self.starts_limit = FEW_STARTS if chance.random() < 0.1 else 1000
        self.unix = chance.random() < 0.4
        self.local = chance.random()
        self.choosy = chance.choice([0.0, 0.05, 0.3])
        """How many tasks are not for every manager."""
        self.asking = chance.choice([0.0, 0.0, 0.1, 0.5])
        """How many tasks ask for cores."""
        self.limited = chance.choice([0.0, 0.1])
        """How many have a limit of memory."""
        self.selector = chance.choice(SELECTORS)
        self.order: QueueOrder | None = chance.choice(ORDERS)
        self.pids = 0
        self.managers: dict[str, ManagerProcess] = {}
        self.uids: dict[bytes, str] = {}
        self.pending: set[Connection] = set()
        self.running = True
        self.trouble_until = 0.0
        self.bounds = 0
        self.drains = 0
        self._behind: dict[int, float] = {}
        """Since when tasks were seen with a manager and not begun, and somebody was idle."""
        self._steps = self._samples = self._alive = self._living = 0
        self.faults = Faults(self)
        self._form_size = 1 if seed % 8 == 0 else chance.choice([1, 25 * 2**20])
        self._forms: dict[bytes, bytes] = {}
        self.program = Program(self)

    # The course of a seed.

    def run(self, events: int) -> Summary:
        """Let so many events happen under faults, then heal everything and settle accounts."""
        clockwork = self.clockwork
        self.program.begin()
        for _ in range(MANAGERS + 1 + clockwork.chance.randrange(3)):
            self.add_manager()
        self.use()
        while clockwork.events < events:
            self.faults.happen()
            self._advance()
            if self._steps % 64 == 0:
                self._sample()
        self.running = False
        self.faults.heal()
        for block in sorted(self.program.on_hold):
            if self.program.alive and self.program.broken is None:
                self.program.unhold(block)
        ending = self._ending()
        self._all_leave()
        return Summary(
            events=clockwork.events,
            seconds=clockwork.now - BEGIN,
            attempts=len(self.truth.attempts),
            starts=self.truth.starts,
            outcomes=self.truth.outcomes,
            faults=self.faults.seen,
            ending=ending,
            drains=self.drains,
            bounds=self.bounds,
            said_too_early=self.truth.said_too_early,
            tasks_alive=self._alive / max(1, self._samples),
            managers_alive=self._living / max(1, self._samples),
        )

    def _sample(self) -> None:
        self._samples += 1
        self._alive += len(self.truth.alive)
        self._living += sum(each.alive for each in self._recent())
        self._check_idleness()

    def _check_idleness(self) -> None:
        """No task waits behind another while a worker, here or elsewhere, has nothing to do."""
        now, link = self.clockwork.now, self.program.link
        idle = link is not None and link.interchange.alive and link.interchange.machine._idle
        if not idle or self.trouble_until > now:
            self._behind.clear()
            return
        behind = [
            each.number
            for each in self.truth.alive.values()
            if each.had_by is not None
            and each.had_by.alive  # of one that is dead it is the lease that decides
            and each.claimed_by is None
            and each.options is None
        ]
        self._behind = {number: self._behind.get(number, now) for number in behind}
        for number, since in self._behind.items():
            if now - since > IDLE:
                raise Violation(f"{number} waits with a manager, and {sorted(idle)} are idle")

    def _recent(self) -> list[ManagerProcess]:
        return list(self.managers.values())[-2 * MANAGERS :]

    def _advance(self) -> None:
        clockwork = self.clockwork
        if not clockwork.advance():
            raise Violation("nothing is left that could go on")
        self._steps += 1
        if self._steps > STEPS * (clockwork.events + 1000):
            raise Violation("everybody runs, and nothing goes on")

    def _ending(self) -> str:
        if self.starts_limit == FEW_STARTS:
            self._break()
            return "broken"
        draw = self.clockwork.chance.random()
        if draw < 0.1:
            self.program.close()
            return "closed"
        if draw < 0.2:
            self.program.kill("signal 9")
            return "killed"
        self._drain()
        self.program.close()
        return "drained"

    def _break(self) -> None:
        """Kill each interchange as soon as it listens, until the client has enough of it."""
        until = self.clockwork.now + PATIENCE
        while self.program.broken is None:
            link = self.program.link
            if link is not None and link.interchange.listening:
                link.interchange.kill("signal 9")
            if self.clockwork.now > until:
                raise Violation("the client starts interchanges for ever")
            self._advance()
        self.program.submit([self.plan()])
        if self.truth.alive:
            raise Violation(f"broken, and yet unresolved: {list(self.truth.alive)}")
        self.program.kill("it gives up")

    def _drain(self) -> None:
        until, left = 0.0, -1
        while self.truth.alive and self.program.broken is None:
            if len(self.truth.alive) != left:
                until, left = self.clockwork.now + PATIENCE, len(self.truth.alive)
            if self.clockwork.now > until:
                count = len(self.truth.alive)
                raise Violation(f"{count} pending for ever, among them {self._whereabouts()}")
            self._advance()
        self._drain_one()
        draining = [each for each in self.managers.values() if each.alive and each.drains]
        until = self.clockwork.now + self.threshold + 3.0  # for what slow links still carry
        while self.clockwork.now < until:
            self._advance()
        self.program.let_go()
        until = self.clockwork.now + self.threshold + 3.0
        while self.clockwork.now < until:
            self._advance()
        self._check_memory()
        self._check_managers(draining)

    def _drain_one(self) -> None:
        known = [uid for uid in self.program.machine.managers if self.managers[uid].alive]
        if known and self.program.broken is None:
            uid = self.clockwork.chance.choice(sorted(known))
            self.managers[uid].drains = True
            self.program.drain(uid)

    def _check_managers(self, draining: list[ManagerProcess]) -> None:
        """Who was to leave has left, and of all others the program knows that they are idle."""
        loads = self.program.machine.loads
        for manager in draining:
            if manager.alive:
                raise Violation(f"{manager.name} drains for ever")
        for uid, load in loads.items():
            drains = self.managers[uid].drains
            if self.managers[uid].alive and (load.busy or load.draining > drains or load.held):
                raise Violation(f"{uid} has nothing to do, and is said to have: {load}")

    def _check_memory(self) -> None:
        """Nothing of a task that has ended is left anywhere."""
        link = self.program.link
        machines: dict[str, Any] = {"the client": self.program.machine}
        if link is not None:
            machines["the interchange"] = link.interchange.machine
        for manager in self.managers.values():
            if manager.alive and not manager.leaving:
                machines[manager.name] = manager.machine
        for name, machine in machines.items():
            if left := self._left_in(machine):
                raise Violation(f"{name} keeps what has ended: {sorted(left)}")
            if kept := self._kept_in(machine):
                raise Violation(f"{name} keeps what nobody needs: {kept}")

    def _kept_in(self, machine: Any) -> list[bytes]:
        """What was shared, where it is not kept only for as long as there is room."""
        if isinstance(machine, ClientMachine):
            return sorted(machine._forms)
        return [] if isinstance(machine, InterchangeMachine) else machine._forms.kept

    def _left_in(self, machine: Any) -> set[int]:
        found: set[int] = set()
        seen: set[int] = set()
        stack = gc.get_referents(machine)
        while stack:
            item = stack.pop()
            if isinstance(item, int):
                if FIRST <= item < FIRST + len(self.truth.attempts):
                    found.add(item)
            elif id(item) not in seen:
                seen.add(id(item))
                ours = type(item).__module__.startswith(ClientMachine.__module__.partition(".")[0])
                if ours or isinstance(item, list | tuple | dict | set | frozenset | deque):
                    stack += [each for each in gc.get_referents(item) if not isinstance(each, type)]
        return found

    def _all_leave(self) -> None:
        """The program is gone: so is everything else, soon."""
        until = self.clockwork.now + 2 * self.threshold + 10.0
        while self.clockwork.now < until and self.clockwork.advance():
            pass
        left = [each.name for each in self.managers.values() if each.alive]
        left += [w.name for m in self.managers.values() for w in m.zygote.workers if w.alive]
        link = self.program.link
        if link is not None and link.interchange.alive:
            left.append(link.interchange.name)
        if left:
            raise Violation(f"the program is gone, and these are left: {left}")

    def _whereabouts(self) -> list[str]:
        return [
            f"{each.number} granted={each.granted} had_by={each.had_by and each.had_by.name} "
            f"claimed_by={each.claimed_by and each.claimed_by.name} "
            f"produced={each.produced is not None} cancelled={each.cancelled}"
            for each in list(self.truth.alive.values())[:3]
        ]

    # The user.

    def use(self) -> None:
        """Submit, cancel, come again."""
        if not self.running:
            return
        chance, program = self.clockwork.chance, self.program
        if program.alive and not program.stopped and program.broken is None:
            lacking = ALIVE - len(self.truth.alive)
            if lacking > 0:
                program.submit([self.plan() for _ in range(lacking + chance.randrange(6))])
            elif lacking > -MANY and chance.random() < 0.05:
                program.submit([self.plan() for _ in range(chance.randrange(60))])
            if chance.random() < 0.1 and self.truth.alive:
                some = chance.sample(sorted(self.truth.alive), k=min(3, len(self.truth.alive)))
                program.cancel([self.truth.alive[number] for number in some])
            if chance.random() < 0.01:
                self._drain_or_hold()
        pause = self.clockwork.spread(0.001, 0.05 if self.profile == "short" else 0.5)
        self.clockwork.at(self.clockwork.now + pause, self.use)

    def _drain_or_hold(self) -> None:
        chance, program = self.clockwork.chance, self.program
        manager = chance.choice(list(self.managers.values()))
        if program.on_hold and chance.random() < 0.7:
            program.unhold(chance.choice(sorted(program.on_hold)))
        elif chance.random() < 0.5:
            program.hold(manager.block)
        elif manager.alive and chance.random() < 0.5:
            program.drain(manager.uid)
        else:
            manager.drains_at = manager.time()
            manager.wake(self.clockwork.now)

    def drained(self, uid: str) -> None:
        """The program takes a manager for drained: nothing may have been with it."""
        self.drains += 1
        self.truth.drained(self.managers[uid])

    def plan(self) -> Attempt:
        """Decide what becomes of one more task, if nothing befalls it."""
        clockwork, chance = self.clockwork, self.clockwork.chance
        low, high = {"long": (0.05, 4.0), "mixed": (0.0003, 2.0), "short": (0.00005, 0.002)}[
            self.profile
        ]
        takes = clockwork.spread(low, high)
        if self.profile == "short" and chance.random() < 0.02:
            takes = clockwork.spread(0.05, 0.5)
        digest = chance.choice([None, None, None, *DIGESTS])
        options: dict[str, Any] | None = None
        fate = "value"
        draw = chance.random()
        if draw < 0.06:
            fate = "raises"
        elif draw < 0.08:
            fate = "unsent"
        elif draw < 0.1:
            fate = "dies"
        elif draw < 0.16:
            options = {"walltime": clockwork.spread(0.01, 1.0)}
            fate = chance.choice(["value", "hangs"])
        elif draw < 0.18:
            options = {"env": {"A": "1"}}
        if chance.random() < self.asking:
            options = options or {}
            options["resources"] = {"cores": chance.choice([0.25, 0.5, 1.0, 2.0, float(CORES)])}
        if chance.random() < self.limited:
            options = options or {}
            options["memory_limit"] = LIMIT
            fate = chance.choice([fate, fate, "gluts"])
        if chance.random() < self.choosy:
            options = options or {}
            nodes = [each.host.name for each in self.managers.values() if not each.host.local]
            if nodes and chance.random() < 0.6:
                options["avoid"] = sorted(chance.sample(nodes, k=min(2, len(nodes))))
            if chance.random() < 0.6:
                options["expected"] = clockwork.spread(0.001, 5.0)
        regretted = chance.random() < 0.01
        if regretted:  # it ends only if it is cancelled, wherever it is by then
            fate, takes = "value", FOR_EVER
        attempt = self.truth.new(digest=digest, options=options, fate=fate, takes=takes)
        if regretted:
            clockwork.soon(lambda: self._regret(attempt), 0.001, 2.0)
        return attempt

    def _regret(self, attempt: Attempt) -> None:
        program = self.program
        if program.stopped:
            self.clockwork.soon(lambda: self._regret(attempt), 0.1, 1.0)
        elif program.alive and program.broken is None and attempt.resolved is None:
            program.cancel([attempt])

    def form(self, attempt: Attempt) -> bytes | None:
        """The form of its function; some are so large that a cache keeps two at most."""
        digest = attempt.digest
        if digest is None:
            return None
        if digest not in self._forms:
            self._forms[digest] = bytes(self._form_size)
        return self._forms[digest]

    # The managers.

    def add_manager(self) -> None:
        if not self.program.alive:
            return
        chance = self.clockwork.chance
        uid = f"m{len(self.managers) + 1}"
        host = self.home if chance.random() < self.local else Host(f"node-{uid}", local=False)
        manager = ManagerProcess(self, uid, host, slots=chance.randint(1, 4))
        self.managers[uid] = manager
        self.clockwork.soon(lambda: manager.wake(self.clockwork.now), 0.01, 0.3)
        if manager.block_ends < math.inf:
            self.clockwork.at(manager.block_ends + host.lag, lambda: self._end_block(manager))

    def _end_block(self, manager: ManagerProcess) -> None:
        """What the batch system does at the walltime: say so first, or not."""
        if manager.alive and manager.block_ends > manager.time():
            later = manager.block_ends + manager.host.lag  # the whole host was suspended
            self.clockwork.at(later, lambda: self._end_block(manager))
        elif manager.alive and not manager.leaving:
            if self.clockwork.likely(0.5) and not manager.stopped:
                self.faults.told_to_end(manager)
            else:
                self.faults.vanish(manager)

    def owe(self, attempt: Attempt, bound: float, whose: Process) -> None:
        """It must be resolved within the bound, counted from when all other trouble is over."""
        self._owe(attempt, bound, whose, self.clockwork.now)

    def _owe(self, attempt: Attempt, bound: float, whose: Process, since: float) -> None:
        def look() -> None:
            if not self.program.alive or self.program.broken is not None:
                return
            if isinstance(whose, Worker) and (whose.manager.leaving or not whose.manager.alive):
                return  # then it is the death of the manager that counts
            if self.trouble_until > since:
                if attempt.resolved is None:
                    self._owe(attempt, bound, whose, max(self.clockwork.now, self.trouble_until))
                return
            self.bounds += 1
            if attempt.resolved is None:
                msg = f"{attempt.number} is unresolved {bound:.1f} s after the end of {whose.name}"
                raise Violation(msg)

        self.clockwork.at(since + bound, look)

    def owe_word(self, attempt: Attempt, bound: float, worker: Worker) -> None:
        """The program must hear within the bound that it runs, if nothing goes wrong meanwhile."""
        since = self.clockwork.now

        def look() -> None:
            runs = worker.alive and worker.runs == attempt.number and attempt.resolved is None
            if runs and not attempt.said and self.program.alive and self.trouble_until <= since:
                if not (worker.manager.leaving or self.program.broken):
                    raise Violation(f"{attempt.number} runs for {bound:.1f} s, and nobody says so")

        self.clockwork.at(since + bound, look)

    def trouble(self, seconds: float) -> None:
        """Something else goes wrong for so long, which may delay whatever is owed."""
        self.trouble_until = max(self.trouble_until, self.clockwork.now + seconds)

    def living(self) -> list[ManagerProcess]:
        return [each for each in self.managers.values() if each.alive]

    def manager_died(self, manager: ManagerProcess) -> None:
        bound = DEATH if manager.host.local else self.threshold + DEATH + SLACK
        for attempt in self.truth.alive.values():
            worker = attempt.claimed_by
            if attempt.had_by is manager or (worker and worker.manager is manager):
                self.owe(attempt, bound, manager)
        if len(self.living()) < MANAGERS + 3:
            self.clockwork.soon(self.add_manager, 0.1, 2.0)

    def connect(self, manager: ManagerProcess) -> Connection | None:
        """A connection, if the interchange accepts one; over a Unix socket always, at first."""
        link = self.program.link
        interchange = None if link is None else link.interchange
        here = interchange is not None and interchange.alive and interchange.listening
        route = b"r%d" % len(self.uids)
        if self.unix and manager.host.local:
            connection = Connection(manager, route)
            if not here:
                self.pending.add(connection)
        elif manager.host.cut or not here:
            return None
        else:
            connection = Connection(manager, route)
        self.uids[route] = manager.uid
        if here and interchange is not None:
            connection.attach(interchange)
        return connection

    def listens(self, interchange: InterchangeProcess) -> None:
        """Whoever has waited for a Unix socket is connected now."""
        for connection in sorted(self.pending, key=lambda each: each.route):
            connection.attach(interchange)
        self.pending.clear()

    # What befalls messages, and what may be said.

    def repeats(self, frame: Frame) -> bool:
        """Whether a late copy of this frame comes."""
        return frame.kind == RESULTS and self.running and self.clockwork.likely(0.02)

    def _explained_by_its_block(self, manager: ManagerProcess) -> None:
        ends = manager.block_ends
        if manager.time() < ends - block_margin(ends - BEGIN) and not manager.host.gapped:
            raise Violation(f"{manager.name} is said to have ended with its block, at {ends}")

    def ended(self, effect: Ended) -> None:
        """Judge whether a loss was declared with reason."""
        self.truth.ended(effect)
        if effect.cause == "block_ended" and effect.manager is not None:
            self._explained_by_its_block(self.managers[effect.manager.uid])
        if effect.cause != "node_lost" or effect.manager is None:
            return
        manager = self.managers[effect.manager.uid]
        if not manager.alive or manager.leaving:
            return
        if not manager.host.troubled and not self.home.troubled:
            raise Violation(f"{manager.name} was given up for nothing: {effect.reason}")
        if manager.host.gapped or self.home.gapped:
            return
        for number in effect.attempts:
            worker = self.truth.attempts[number].claimed_by
            if worker is not None and worker.alive:
                raise Violation(f"{number} was given up while {worker.name} still runs it")
