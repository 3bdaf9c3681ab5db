"""The client's machine: one truth about every unresolved attempt."""

import random
from typing import Any

from lamina.htex_core import (
    Broken,
    ClientEffect,
    ClientMachine,
    Deliver,
    Ended,
    ManagerCame,
    ManagerInfo,
    ManagerLoad,
    ManagerWent,
    Ran,
    Ready,
    SendUp,
    Sorted,
    StartInterchange,
)
from lamina.htex_core.client import ACK_WITHIN, ACKS_LIMIT
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    FENCE,
    FORMS,
    HOLD,
    JOINED,
    LEFT,
    LOAD,
    LOST,
    NEED,
    READY,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    VALUE,
)


def info(uid: str) -> ManagerInfo:
    return ManagerInfo(uid, "0", "host", "boot", 1, 2, "3.11", "0.1")


def wire(attempt: int, digest: bytes | None = None) -> list[Any]:
    return [attempt, digest, [b""], None]


def outcome(attempt: int) -> list[Any]:
    return [attempt, VALUE, [b"v"], 0.0, 1.0, None]


def test_a_queue_of_another_kind_has_ranks_of_its_own() -> None:
    machine = ClientMachine(patience=30.0, make_queue=Sorted)
    machine.start(0.0)
    machine.frame(READY, 1, {}, 0.0)
    ranks = [(3, "c"), (1, "a"), (2, "b"), (1, "a")]
    machine.submitted([(wire(number), rank, None) for number, rank in enumerate(ranks)])
    machine.frame(JOINED, 1, [list(info("m")), [], []], 0.0)
    (granted,) = machine.frame(CREDIT, 1, 3, 0.0)
    assert granted == SendUp(TASKS, [wire(1), wire(3), wire(2)])
    machine.frame(CREDIT, 1, 2, 0.0)
    machine.frame(RETURNED, 1, [3, 2], 0.0)
    (granted,) = machine.frame(CREDIT, 1, 4, 0.0)
    assert granted == SendUp(TASKS, [wire(2), wire(0)])


def running(*, credit: int = 10, managers: tuple[str, ...] = ("m",)) -> ClientMachine:
    machine = ClientMachine(patience=30.0)
    machine.start(0.0)
    machine.frame(READY, 1, {}, 0.0)
    for uid in managers:
        machine.frame(JOINED, 1, [list(info(uid)), [], []], 0.0)
    machine.frame(CREDIT, 1, credit, 0.0)
    return machine


def submit(machine: ClientMachine, *attempts: int, priority: float = 0.0) -> list[ClientEffect]:
    return machine.submitted([(wire(attempt), priority, None) for attempt in attempts])


def test_it_starts_with_the_first_epoch() -> None:
    assert ClientMachine(patience=1.0).start(0.0) == [StartInterchange(1)]


def test_nothing_is_sent_before_the_interchange_is_ready_and_gives_credit() -> None:
    machine = ClientMachine(patience=1.0)
    machine.start(0.0)
    assert submit(machine, 1) == []
    assert machine.frame(READY, 1, {"at": "x"}, 0.0) == [Ready({"at": "x"})]
    assert machine.frame(CREDIT, 1, 1, 0.0) == [SendUp(TASKS, [wire(1)])]


def test_no_more_than_the_credit_is_granted() -> None:
    machine = running(credit=2)
    assert submit(machine, 1, 2, 3) == [SendUp(TASKS, [wire(1), wire(2)])]
    assert machine.frame(RESULTS, 1, ["m", 5, [outcome(1)]], 0.0) == [
        Deliver(info("m"), [outcome(1)]),
        SendUp(ACK, [["m", 5]]),
        SendUp(TASKS, [wire(3)]),
    ]
    assert machine.next_deadline() is None


def test_results_are_acknowledged_by_and_by_where_no_tasks_go() -> None:
    machine = running()
    submit(machine, 1, 2)
    assert machine.frame(RESULTS, 1, ["m", 5, [outcome(1)]], 7.0) == [
        Deliver(info("m"), [outcome(1)])
    ]
    due = machine.next_deadline()
    assert due == 7.0 + ACK_WITHIN
    machine.frame(RESULTS, 1, ["m", 6, [outcome(2)]], 7.01)
    assert machine.next_deadline() == due
    assert machine.time_passed(7.0) == []
    assert machine.time_passed(due) == [SendUp(ACK, [["m", 5], ["m", 6]])]
    assert machine.next_deadline() is None


def test_so_many_unacknowledged_results_and_no_more() -> None:
    machine = running()
    sent = [
        effect
        for number in range(ACKS_LIMIT)
        for effect in machine.frame(RESULTS, 1, ["m", number, []], 0.0)
    ]
    assert sent == [SendUp(ACK, [["m", number] for number in range(ACKS_LIMIT)])]


def test_a_worker_may_be_idle_until_each_has_a_task() -> None:
    machine = running()
    submit(machine, 1)
    assert machine.workers_idle
    submit(machine, *range(2, 10))
    assert not machine.workers_idle


def test_higher_priority_goes_first_and_equals_in_order() -> None:
    machine = running(credit=0)
    submit(machine, 1, 2)
    submit(machine, 3, 4, priority=5.0)
    wires = [wire(attempt) for attempt in (3, 4, 1, 2)]
    assert machine.frame(CREDIT, 1, 9, 0.0) == [SendUp(TASKS, wires)]


def test_a_queued_task_is_cancelled_at_once_and_never_sent() -> None:
    machine = running(credit=0)
    submit(machine, 1, 2)
    why = "it was cancelled before it started"
    assert machine.cancelled([1]) == [Ended([1], "cancelled", why, "no")]
    assert machine.frame(CREDIT, 1, 9, 0.0) == [SendUp(TASKS, [wire(2)])]


def test_a_granted_task_is_cancelled_by_asking_once() -> None:
    machine = running()
    submit(machine, 1)
    assert machine.cancelled([1]) == [SendUp(CANCEL, [1])]
    assert machine.cancelled([1, 99]) == []
    why = "it was cancelled before it started"
    assert machine.frame(RETURNED, 1, [1], 0.0) == [Ended([1], "cancelled", why, "no")]


def test_what_is_given_back_goes_first_as_the_same_attempt() -> None:
    machine = running(credit=2)
    submit(machine, 1, 2, 3)
    assert machine.frame(RETURNED, 1, [1, 2], 0.0) == [SendUp(TASKS, [wire(1), wire(2)])]


def test_a_second_copy_of_a_result_is_acknowledged_and_dropped() -> None:
    machine = running()
    submit(machine, 1)
    machine.frame(RESULTS, 1, ["m", 1, [outcome(1)]], 0.0)
    assert machine.frame(RESULTS, 1, ["m", 1, [outcome(1)]], 0.0) == []
    assert machine.time_passed(ACK_WITHIN) == [SendUp(ACK, [["m", 1], ["m", 1]])]


def test_a_frame_of_another_epoch_is_dropped() -> None:
    machine = running()
    submit(machine, 1)
    assert machine.frame(RESULTS, 0, ["m", 1, [outcome(1)]], 0.0) == []
    assert machine.frame(77, 1, None, 0.0) == []
    assert machine.outstanding == 1


def test_a_form_travels_once_and_again_only_when_asked_for() -> None:
    machine = running()
    tasks = [(wire(attempt, b"d"), 0.0, b"form") for attempt in (1, 2)]
    assert machine.submitted(tasks) == [
        SendUp(FORMS, [[b"d", b"form"]]),
        SendUp(TASKS, [wire(1, b"d"), wire(2, b"d")]),
    ]
    assert machine.frame(NEED, 1, [b"d", b"?"], 0.0) == [SendUp(FORMS, [[b"d", b"form"]])]
    machine.frame(RESULTS, 1, ["m", 1, [outcome(1), outcome(2)]], 0.0)
    assert machine.frame(NEED, 1, [b"d"], 0.0) == []


def test_a_lost_manager_ends_its_attempts_and_says_which_had_started() -> None:
    machine = running()
    submit(machine, 1, 2, 3)
    assert machine.frame(STARTED, 1, ["m", [[1, 5.0], [9, 5.0]]], 0.0) == [
        Ran(info("m"), [[1, 5.0]])
    ]
    assert machine.frame(LOST, 1, ["m", [1, 2], "gone", "node_lost"], 0.0) == [
        ManagerWent(info("m"), "gone"),
        Ended([1], "node_lost", "gone", "yes", info("m")),
        Ended([2], "node_lost", "gone", "unknown", info("m")),
    ]
    assert machine.outstanding == 1


def test_a_manager_is_announced_once_an_epoch_and_admitted_each_time() -> None:
    machine = running(managers=())
    joined = [list(info("m")), [], []]
    assert machine.frame(JOINED, 1, joined, 0.0) == [ManagerCame(info("m")), SendUp(ADMIT, ["m"])]
    assert machine.frame(JOINED, 1, joined, 0.0) == [SendUp(ADMIT, ["m"])]


def test_what_no_manager_has_after_a_restart_was_never_given_and_is_queued_again() -> None:
    machine = running(managers=("a", "b"))
    submit(machine, 1, 2, 3)
    assert machine.interchange_died(1.0, "killed") == [StartInterchange(2)]
    assert machine.frame(READY, 2, {}, 1.0) == [Ready({})]
    machine.frame(CREDIT, 2, 10, 1.0)
    assert machine.frame(JOINED, 2, [list(info("a")), [1], []], 1.0) == [SendUp(ADMIT, ["a"])]
    assert machine.frame(JOINED, 2, [list(info("b")), [], [2]], 1.0) == [
        SendUp(ADMIT, ["b"]),
        SendUp(TASKS, [wire(3)]),
    ]
    assert machine.next_deadline() is None


def test_a_manager_that_stays_away_is_fenced_and_what_is_doubtful_ends_as_node_lost() -> None:
    machine = running(managers=("a", "b"))
    submit(machine, 1, 2)
    machine.interchange_died(1.0, "killed")
    machine.frame(READY, 2, {}, 1.0)
    machine.frame(JOINED, 2, [list(info("a")), [1], []], 1.0)
    assert machine.awaited == [info("b")]
    assert machine.time_passed(30.9) == []
    went, fence, ended = machine.time_passed(31.0)
    assert isinstance(went, ManagerWent)
    assert fence == SendUp(FENCE, ["b"])
    assert isinstance(ended, Ended)
    assert (ended.attempts, ended.cause, ended.started) == ([2], "node_lost", "unknown")
    assert machine.frame(JOINED, 2, [list(info("b")), [2], []], 32.0) == [SendUp(FENCE, ["b"])]


def test_a_manager_known_dead_while_there_is_no_interchange_is_fenced_by_the_next() -> None:
    machine = running()
    submit(machine, 1)
    machine.interchange_died(1.0, "")
    assert machine.manager_gone("m", "dead") == [ManagerWent(info("m"), "dead")]
    assert machine.manager_gone("m", "dead") == []
    ready, fence, ended = machine.frame(READY, 2, {}, 1.0)
    assert (ready, fence) == (Ready({}), SendUp(FENCE, ["m"]))
    assert isinstance(ended, Ended)
    assert ended.attempts == [1]


def test_a_task_cancelled_while_in_doubt_ends_when_it_is_found_nowhere() -> None:
    machine = running()
    submit(machine, 1)
    machine.interchange_died(1.0, "")
    assert machine.cancelled([1]) == []
    machine.frame(READY, 2, {}, 1.0)
    effects = machine.frame(JOINED, 2, [list(info("m")), [], []], 1.0)
    why = "it was cancelled before it started"
    assert effects == [SendUp(ADMIT, ["m"]), Ended([1], "cancelled", why, "no")]


def test_a_task_cancelled_while_in_doubt_is_cancelled_at_the_manager_that_holds_it() -> None:
    machine = running()
    submit(machine, 1)
    machine.interchange_died(1.0, "")
    machine.cancelled([1])
    machine.frame(READY, 2, {}, 1.0)
    effects = machine.frame(JOINED, 2, [list(info("m")), [1], []], 1.0)
    assert effects == [SendUp(ADMIT, ["m"]), SendUp(CANCEL, [1])]


def test_the_executor_gives_up_after_three_starts_within_a_minute() -> None:
    machine = running()
    submit(machine, 1)
    assert machine.interchange_died(1.0, "") == [StartInterchange(2)]
    assert machine.interchange_died(2.0, "") == [StartInterchange(3)]
    ended, broken = machine.interchange_died(3.0, "no memory")
    assert isinstance(ended, Ended)
    assert isinstance(broken, Broken)
    assert (ended.attempts, ended.cause, ended.started) == ([1], "executor_lost", "unknown")
    assert "no memory" in broken.reason
    assert submit(machine, 2) == [Ended([2], "executor_lost", broken.reason, "no")]
    assert machine.interchange_died(4.0, "") == []


def test_starts_a_minute_apart_go_on_for_ever() -> None:
    machine = running()
    for epoch in range(2, 20):
        assert machine.interchange_died(epoch * 31.0, "") == [StartInterchange(epoch)]


def test_failing_ends_everything_and_says_what_had_started() -> None:
    machine = running(credit=2)
    submit(machine, 1, 2, 3)
    machine.frame(STARTED, 1, ["m", [[1, 0.0]]], 0.0)
    assert machine.fail("closed", "closed") == [
        SendUp(STOP, "closed"),
        Ended([3], "closed", "closed", "no"),
        Ended([2], "closed", "closed", "unknown"),
        Ended([1], "closed", "closed", "yes"),
        Broken("closed"),
    ]


class World:
    """A program, an interchange and managers around the machine; it knows who has what."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.machine = ClientMachine(patience=30.0)
        self.now = 0.0
        self.next = 0
        self.managers = 0
        self.alive: set[int] = set()
        self.ready = False
        self.credit = 0
        self.waiting: set[int] = set()
        self.held: dict[str, set[int]] = {}
        self.finished: dict[str, set[int]] = {}
        self.away: set[str] = set()
        self.last: list[Any] | None = None
        self.see(self.machine.start(self.now))

    def see(self, effects: list[ClientEffect]) -> None:
        for effect in effects:
            match effect:
                case Deliver(_, outcomes):
                    self.end([each[0] for each in outcomes])
                case Ended(attempts):
                    self.end(attempts)
                case SendUp(kind, body) if kind == TASKS:
                    some = {each[0] for each in body}
                    assert len(some) == len(body)
                    assert some <= self.alive
                    everywhere = self.waiting.union(*self.held.values(), *self.finished.values())
                    assert not some & everywhere, "an attempt was sent while somebody had it"
                    self.waiting |= some
                case SendUp(kind, body) if kind == FENCE:
                    for uid in body:
                        self.drop(uid)
                case SendUp():
                    assert self.ready
                case Broken(reason):
                    raise AssertionError(reason)
                case _:
                    pass

    def end(self, attempts: list[int]) -> None:
        for attempt in attempts:
            assert attempt in self.alive, "an attempt ended twice"
            self.alive.remove(attempt)

    def drop(self, uid: str) -> None:
        self.held.pop(uid, None)
        self.finished.pop(uid, None)
        self.away.discard(uid)

    def say(self, kind: int, body: Any) -> None:
        self.see(self.machine.frame(kind, self.machine.epoch, body, self.now))

    def some(self, among: set[int]) -> list[int]:
        return [each for each in sorted(among) if self.chance.random() < 0.5]

    def step(self) -> None:
        self.now += self.chance.random()
        draw = self.chance.random()
        if draw < 0.3:
            self.submit()
        elif draw < 0.38 and self.alive:
            self.see(self.machine.cancelled([self.chance.choice(sorted(self.alive))]))
        elif draw < 0.385:
            self.interchange_dies()
        elif draw < 0.42:
            self.see(self.machine.time_passed(self.now))
        elif not self.ready:
            if draw < 0.6:
                self.ready = True
                self.say(READY, {})
            elif draw < 0.65 and self.away:
                self.manager_dies_away()
        elif draw < 0.5:
            self.credit = self.chance.randrange(12)
            self.say(CREDIT, self.credit)
        elif draw < 0.55 and self.waiting:
            gone = self.some(self.waiting)
            self.waiting.difference_update(gone)
            self.say(RETURNED, gone)
        elif draw < 0.62 and len(self.held) < 4:
            self.managers += 1
            uid = f"m{self.managers}"
            self.held[uid], self.finished[uid] = set(), set()
            self.say(JOINED, [list(info(uid)), [], []])
        elif draw < 0.66 and self.away:
            self.comes_back(self.chance.choice(sorted(self.away)))
        elif draw < 0.662 and self.away:
            self.manager_dies_away()
        elif here := sorted(self.held.keys() - self.away):
            self.manager_acts(self.chance.choice(here))

    def submit(self) -> None:
        tasks = []
        for _ in range(self.chance.randrange(1, 4)):
            if len(self.alive) < 30:
                self.next += 1
                self.alive.add(self.next)
                digest = self.chance.choice([None, b"a", b"b"])
                tasks.append((wire(self.next, digest), float(self.chance.randrange(2)), digest))
        self.see(self.machine.submitted(tasks))

    def interchange_dies(self) -> None:
        self.now += 31.0
        self.ready, self.credit, self.last = False, 0, None
        self.waiting.clear()
        self.away = set(self.held)
        for uid, held in self.held.items():
            done = set(self.some(held))  # while nobody listened
            held -= done
            self.finished[uid] |= done
        self.see(self.machine.interchange_died(self.now, "killed"))

    def comes_back(self, uid: str) -> None:
        self.away.discard(uid)
        finished = sorted(self.finished[uid])
        self.say(JOINED, [list(info(uid)), sorted(self.held[uid]), finished])
        self.finished[uid].clear()
        self.say(RESULTS, [uid, 1, [outcome(each) for each in finished]])

    def manager_dies_away(self) -> None:
        uid = self.chance.choice(sorted(self.away))
        self.drop(uid)
        self.see(self.machine.manager_gone(uid, "killed"))

    def manager_acts(self, uid: str) -> None:
        held = self.held[uid]
        some = self.some(held)
        draw = self.chance.random()
        if draw < 0.4:
            given = self.some(self.waiting)
            self.waiting.difference_update(given)
            held.update(given)
        elif draw < 0.8:
            held.difference_update(some)
            body = [uid, 1, [outcome(each) for each in some]]
            if self.last is not None and self.chance.random() < 0.1:
                self.say(RESULTS, self.last)  # a second copy
            self.last = body
            self.say(RESULTS, body)
        elif draw < 0.88:
            self.say(STARTED, [uid, [[each, 0.0] for each in some]])
        elif draw < 0.94:
            held.difference_update(some)
            self.say(RETURNED, some)
        elif draw < 0.98:
            self.say(NEED, [b"a", b"b"])
        else:
            self.drop(uid)
            self.say(LOST, [uid, sorted(held), "killed", "node_lost"])


def test_in_a_random_walk_every_attempt_ends_exactly_once() -> None:
    world = World(seed=1)
    for _ in range(100_000):
        world.step()
        world.machine.check()
        assert world.machine.outstanding == len(world.alive)
    assert world.next > 10_000
    for effect in world.machine.fail("the end"):
        if isinstance(effect, Ended):
            world.end(effect.attempts)
    assert not world.alive


def test_it_knows_how_busy_each_manager_is_and_since_when_it_is_idle() -> None:
    machine = running(managers=())
    machine.frame(JOINED, 1, [list(info("m")), [7], []], 1.0)
    machine.frame(JOINED, 1, [list(info("n")), [], []], 2.0)
    assert machine.loads == {
        "m": ManagerLoad("0", slots=2, busy=1, idle_since=None),
        "n": ManagerLoad("0", slots=2, busy=0, idle_since=2.0),
    }
    machine.frame(LOAD, 1, [["m", 0, False], ["n", 5, False], ["unknown", 1, False]], 3.0)
    assert machine.loads["m"] == ManagerLoad("0", slots=2, busy=0, idle_since=3.0)
    assert machine.loads["n"] == ManagerLoad("0", slots=2, busy=2, idle_since=None)
    machine.frame(LOST, 1, ["n", [], "silent", "node_lost"], 4.0)
    assert machine.loads.keys() == {"m"}
    machine.check()


def test_how_long_a_manager_is_idle_outlives_the_interchange() -> None:
    machine = running(managers=())
    machine.frame(JOINED, 1, [list(info("m")), [], []], 1.0)
    machine.interchange_died(5.0, "killed")
    assert machine.loads["m"].idle_since == 1.0
    machine.check()
    machine.frame(JOINED, 2, [list(info("m")), [], []], 6.0)
    assert machine.loads["m"].idle_since == 1.0


def test_a_manager_is_drained_and_its_going_is_no_loss() -> None:
    machine = running(managers=("m", "n"))
    assert machine.drain(["m", "unknown"]) == [SendUp(DRAIN, ["m"])]
    assert machine.drain(["m"]) == []
    assert machine.slots == 2
    assert machine.loads["m"].draining
    assert machine.frame(LEFT, 1, ["m", "it was asked to"], 1.0) == [
        ManagerWent(info("m"), "it was asked to", drained=True),
        SendUp(FENCE, ["m"]),
    ]
    assert machine.loads.keys() == {"n"}
    # Its word may come twice, and it may come back before it has heard ours.
    assert machine.frame(LEFT, 1, ["m", "it was asked to"], 1.0) == [SendUp(FENCE, ["m"])]
    assert machine.frame(JOINED, 1, [list(info("m")), [], []], 1.0) == [SendUp(FENCE, ["m"])]
    machine.check()


def test_a_drain_is_said_again_to_a_manager_that_registers_anew() -> None:
    machine = running(managers=("m",))
    machine.drain(["m"])
    machine.interchange_died(1.0, "killed")
    machine.frame(READY, 2, {}, 2.0)
    assert machine.frame(JOINED, 2, [list(info("m")), [], []], 2.0) == [
        SendUp(DRAIN, ["m"]),
        SendUp(ADMIT, ["m"]),
    ]


def test_whatever_comes_from_a_block_that_is_drained_is_drained_too() -> None:
    machine = running(managers=("m",))
    assert machine.drain((), ["0"]) == [SendUp(DRAIN, ["m"])]
    assert machine.frame(JOINED, 1, [list(info("n")), [], []], 1.0) == [
        ManagerCame(info("n")),
        SendUp(DRAIN, ["n"]),
        SendUp(ADMIT, ["n"]),
    ]
    assert machine.slots == 0


def test_a_draining_manager_that_dies_with_nothing_was_drained_and_with_a_task_was_lost() -> None:
    machine = running(managers=("m", "n"))
    submit(machine, 1)
    machine.drain(["m", "n"])
    assert machine.frame(LOST, 1, ["m", [], "its process has ended", "node_lost"], 1.0) == [
        ManagerWent(info("m"), "its process has ended", drained=True)
    ]
    went, ended = machine.frame(LOST, 1, ["n", [1], "its process has ended", "block_ended"], 1.0)
    assert went == ManagerWent(info("n"), "its process has ended", drained=False)
    assert isinstance(ended, Ended)
    assert (ended.attempts, ended.cause) == ([1], "block_ended")


def test_a_block_is_held_until_that_is_undone_whatever_happens_to_the_interchange() -> None:
    machine = running(managers=("m",))
    assert machine.hold("0") == [SendUp(HOLD, ["0"])]
    assert machine.loads["m"].held
    assert machine.slots == 0
    machine.interchange_died(1.0, "killed")
    assert machine.frame(READY, 2, {}, 2.0) == [Ready({}), SendUp(HOLD, ["0"])]
    machine.frame(JOINED, 2, [list(info("m")), [], []], 2.0)
    assert machine.slots == 0
    assert machine.unhold("0") == [SendUp(HOLD, [])]
    assert machine.slots == 2
    machine.check()
