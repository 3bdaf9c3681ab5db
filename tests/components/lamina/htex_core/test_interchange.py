"""The interchange's machine: which manager gets which task."""

import random
import sys
from collections.abc import Mapping
from typing import Any

import attrs

from lamina.htex_core import (
    PROTOCOL,
    VALUE,
    Forget,
    InterchangeEffect,
    InterchangeMachine,
    Leave,
    ManagerInfo,
    ToClient,
    ToManager,
    Watch,
)
from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    DRAINED,
    DRAINING,
    DROP,
    FENCE,
    FORMS,
    GOODBYE,
    HEARTBEAT,
    HOLD,
    JOINED,
    LEFT,
    LOAD,
    LOST,
    NEED,
    REFUSE,
    REGISTER,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNFIT,
    WELCOME,
    YIELD,
)
from lamina.htex_core.interchange import LOAD_PERIOD, YIELD_AFTER


def info(uid: str, python: str = "3.11") -> ManagerInfo:
    return ManagerInfo(uid, "0", "host", "boot", 1, 2, python, "0.1")


def wire(attempt: int, digest: bytes | None = None) -> list[Any]:
    return [attempt, digest, [b""], None]


def outcome(attempt: int) -> list[Any]:
    return [attempt, VALUE, [b"v"], 0.0, 1.0, None]


def registration(uid: str, capacity: int = 2, **changes: Any) -> dict[str, Any]:
    body = {
        "protocol": PROTOCOL,
        "registration": 1,
        "info": list(info(uid)),
        "capacity": capacity,
        "held": [],
        "finished": [],
    }
    return body | changes


def fresh() -> InterchangeMachine:
    return InterchangeMachine(
        epoch=1, python="3.11", package="0.1", heartbeat_period=10.0, heartbeat_threshold=30.0
    )


def register(
    machine: InterchangeMachine, uid: str, capacity: int = 2, **changes: Any
) -> list[InterchangeEffect]:
    body = registration(uid, capacity, **changes)
    return machine.manager_frame(uid.encode(), REGISTER, 0, body, 0.0)


def running(**managers: int) -> InterchangeMachine:
    machine = fresh()
    for uid, capacity in managers.items():
        register(machine, uid, capacity)
    machine.client_frame(ADMIT, list(managers), 0.0)
    return machine


def give(machine: InterchangeMachine, *attempts: int) -> list[InterchangeEffect]:
    return machine.client_frame(TASKS, [wire(attempt) for attempt in attempts], 0.0)


def test_a_manager_is_welcomed_and_announced_and_raises_the_credit() -> None:
    assert register(fresh(), "a", 2, held=[7], finished=[8]) == [
        ToManager(b"a", WELCOME, None),
        ToClient(JOINED, [list(info("a")), [7], [8]]),
        Watch(info("a")),
        ToClient(CREDIT, 18),
    ]


def test_a_manager_is_given_nothing_before_the_client_admits_it() -> None:
    machine = fresh()
    register(machine, "a")
    assert give(machine, 1) == []
    effects = machine.client_frame(ADMIT, ["a", "unknown"], 0.0)
    assert effects == [ToManager(b"a", TASKS, [wire(1)])]


def test_another_protocol_or_version_is_refused_and_both_are_named() -> None:
    machine = fresh()
    (first,) = register(machine, "a", protocol=99)
    (second,) = register(machine, "a", info=list(info("a", python="3.9")))
    assert isinstance(first, ToManager)
    assert isinstance(second, ToManager)
    assert (first.kind, second.kind) == (REFUSE, REFUSE)
    assert "99" in first.body
    assert "3.9" in second.body
    assert "3.11" in second.body


def test_managers_share_what_waits_and_hold_no_more_than_their_capacity() -> None:
    machine = running(a=2, b=2)
    assert give(machine, 1, 2) == [
        ToManager(b"a", TASKS, [wire(1)]),
        ToManager(b"b", TASKS, [wire(2)]),
    ]
    assert len(give(machine, 3, 4, 5)) == 2
    assert machine.manager_frame(b"b", RESULTS, 1, [1, 2, [outcome(2)]], 0.0) == [
        ToClient(RESULTS, ["b", 1, [outcome(2)]]),
        ToManager(b"b", TASKS, [wire(5)]),
    ]


def test_a_new_capacity_changes_the_credit() -> None:
    machine = running(a=2)
    effects = machine.manager_frame(b"a", RESULTS, 1, [1, 100, []], 0.0)
    assert effects == [ToClient(RESULTS, ["a", 1, []]), ToClient(CREDIT, 200)]


def test_what_a_manager_gives_back_goes_up_and_its_room_is_used() -> None:
    machine = running(a=1)
    give(machine, 1, 2)
    assert machine.manager_frame(b"a", RETURNED, 1, [1], 0.0) == [
        ToClient(RETURNED, [1]),
        ToManager(b"a", TASKS, [wire(2)]),
    ]


def test_what_a_manager_does_not_have_it_can_neither_give_back_nor_end_for_another() -> None:
    """One that has lost its wits must not have a task started twice."""
    machine = running(a=1, b=1)
    give(machine, 1, 2)
    assert machine.manager_frame(b"b", RETURNED, 1, [1], 0.0) == []
    machine.manager_frame(b"b", RESULTS, 1, [1, 1, [outcome(1)]], 0.0)
    machine.check()
    assert machine.client_frame(CANCEL, [1], 0.0) == [ToManager(b"a", CANCEL, [1])]


def test_cancelling_gives_back_what_waits_and_tells_the_manager_of_what_it_holds() -> None:
    machine = running(a=1)
    give(machine, 1, 2)
    assert machine.client_frame(CANCEL, [1, 2, 3], 0.0) == [
        ToClient(RETURNED, [2]),
        ToManager(b"a", CANCEL, [1]),
    ]


def test_acknowledgements_and_start_marks_are_passed_on() -> None:
    machine = running(a=1)
    effects = machine.client_frame(ACK, [["a", 4], ["unknown", 1]], 0.0)
    assert effects == [ToManager(b"a", ACK, 4)]
    effects = machine.manager_frame(b"a", STARTED, 1, [[1, 2.0]], 0.0)
    assert effects == [ToClient(STARTED, ["a", [[1, 2.0]]])]


def test_frames_of_another_epoch_or_of_nobody_are_dropped_and_counted() -> None:
    machine = running(a=1)
    assert machine.manager_frame(b"a", RESULTS, 0, [1, 1, []], 0.0) == []
    assert machine.manager_frame(b"?", RESULTS, 1, [1, 1, []], 0.0) == []
    assert machine.dropped == 2


def test_a_form_travels_to_a_manager_once_before_the_task_that_needs_it() -> None:
    machine = running(a=3)
    assert machine.client_frame(FORMS, [[b"d", b"form"]], 0.0) == []
    assert machine.client_frame(TASKS, [wire(1, b"d")], 0.0) == [
        ToManager(b"a", FORMS, [[b"d", b"form"]]),
        ToManager(b"a", TASKS, [wire(1, b"d")]),
    ]
    assert machine.client_frame(TASKS, [wire(2, b"d")], 0.0) == [
        ToManager(b"a", TASKS, [wire(2, b"d")])
    ]


def test_a_form_that_a_manager_needs_comes_from_here_or_from_the_client() -> None:
    machine = running(a=3)
    machine.client_frame(FORMS, [[b"d", b"form"]], 0.0)
    assert machine.manager_frame(b"a", NEED, 1, [b"d", b"e"], 0.0) == [
        ToManager(b"a", FORMS, [[b"d", b"form"]]),
        ToClient(NEED, [b"e"]),
    ]
    effects = machine.client_frame(FORMS, [[b"e", b"other"]], 0.0)
    assert effects == [ToManager(b"a", FORMS, [[b"e", b"other"]])]


def test_a_dead_manager_is_lost_once_with_what_it_held_and_may_not_come_back() -> None:
    machine = running(a=2)
    give(machine, 1, 2, 3)
    refuse, forget, lost, credit = machine.manager_died("a", "killed", 0.0)
    assert isinstance(lost, ToClient)
    assert isinstance(refuse, ToManager)
    assert (refuse.kind, forget, credit) == (REFUSE, Forget("a"), ToClient(CREDIT, 0))
    assert (lost.kind, lost.body[:2]) == (LOST, ["a", [1, 2]])
    assert machine.manager_died("a", "killed", 0.0) == []
    (again,) = register(machine, "a")
    assert isinstance(again, ToManager)
    assert again.kind == REFUSE


def test_a_fenced_manager_is_refused_and_not_reported() -> None:
    machine = running(a=2)
    give(machine, 1)
    assert machine.client_frame(FENCE, ["a", "unknown"], 0.0) == [
        ToManager(b"a", REFUSE, "this incarnation was given up"),
        Forget("a"),
        ToClient(CREDIT, 0),
    ]


def test_a_manager_that_comes_by_a_new_route_keeps_its_place_and_what_went_astray_returns() -> None:
    machine = running(a=3)
    give(machine, 1, 2, 3)
    body = registration("a", 3, registration=2, held=[1], finished=[2])
    assert machine.manager_frame(b"new", REGISTER, 1, body, 0.0) == [
        ToClient(RETURNED, [3]),
        ToManager(b"new", WELCOME, None),
        ToClient(JOINED, [list(info("a")), [1], [2]]),
        Watch(info("a")),
    ]
    assert give(machine, 4) == [ToManager(b"new", TASKS, [wire(4)])]
    assert machine.manager_frame(b"a", HEARTBEAT, 1, None, 0.0) == []
    assert machine.dropped == 1


def test_a_registration_that_was_overtaken_by_the_next_one_is_dropped() -> None:
    machine = running(a=3)
    give(machine, 1)
    machine.manager_frame(b"new", REGISTER, 1, registration("a", 3, registration=3, held=[1]), 0.0)
    late = registration("a", 3, registration=2)
    assert machine.manager_frame(b"old", REGISTER, 1, late, 0.0) == []
    assert give(machine, 2) == [ToManager(b"new", TASKS, [wire(2)])]


def test_the_silent_are_given_up_after_the_threshold_and_the_grace() -> None:
    machine = running(a=1)
    for now in (5.0, 10.0, 15.0, 20.0, 25.0, 30.0):
        assert machine.time_passed(now) == []
    assert machine.next_deadline() == 32.0
    assert any(isinstance(effect, Forget) for effect in machine.time_passed(32.0))
    assert machine.next_deadline() is None


def test_a_heartbeat_is_sent_back_as_it_is() -> None:
    machine = running(a=1)
    answer = [ToManager(b"a", HEARTBEAT, 123.5)]
    assert machine.manager_frame(b"a", HEARTBEAT, 1, 123.5, 7.0) == answer


def test_nobody_is_judged_silent_across_a_gap_in_our_own_clock() -> None:
    machine = running(a=1)
    machine.time_passed(5.0)
    assert machine.time_passed(500.0) == []
    assert machine.next_deadline() == 505.0


def test_a_gap_in_our_own_clock_is_no_credit_for_the_future() -> None:
    machine = running(a=1)
    machine.time_passed(5.0)
    machine.manager_frame(b"a", HEARTBEAT, 1, 3.0, 500.0)  # it had waited for us
    machine.time_passed(500.0)
    for now in (505.0, 510.0, 515.0, 520.0, 525.0, 530.0):
        assert machine.time_passed(now) == []
    assert any(isinstance(effect, Forget) for effect in machine.time_passed(532.0))


def test_when_the_program_ends_managers_are_stopped_and_the_process_leaves() -> None:
    why = "the program has ended"
    assert running(a=1).client_gone() == [ToManager(b"a", STOP, why), Leave(why)]


def test_a_task_goes_where_a_worker_is_free_before_any_is_sent_ahead() -> None:
    machine = running(a=8, b=8)
    for attempt in (1, 2, 3):
        give(machine, attempt)
    # Two workers each: the fourth has one to itself, although a has room for more.
    assert give(machine, 4) == [ToManager(b"b", TASKS, [wire(4)])]
    assert give(machine, 5, 6, 7, 8) == [
        ToManager(b"a", TASKS, [wire(5), wire(6)]),
        ToManager(b"b", TASKS, [wire(7), wire(8)]),
    ]


class Chooses:
    """Takes the manager that the task asks for, and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def came(self, manager: ManagerInfo) -> None:
        self.told.append(("came", manager.uid))

    def changed(self, uid: str, free: int) -> None:
        self.told.append(("changed", uid, free))

    def gone(self, uid: str) -> None:
        self.told.append(("gone", uid))

    def choose(self, hints: Mapping[str, Any], chance: float) -> str:
        self.told.append(("choose", dict(hints), chance))
        return str(hints.get("near", "nobody"))


def test_the_selector_is_told_of_changes_and_sees_the_hints_which_go_no_further() -> None:
    selector = Chooses()
    machine = attrs.evolve(fresh(), selector=selector, chance=lambda: 0.25)
    for uid in "ab":
        register(machine, uid)
    machine.client_frame(ADMIT, ["a", "b"], 0.0)
    hinted = [1, None, [b""], {"hints": {"near": "b"}}]
    timed = [2, None, [b""], {"hints": {}, "walltime": 3}]
    assert machine.client_frame(TASKS, [hinted, timed, wire(3)], 0.0) == [
        ToManager(b"b", TASKS, [[1, None, [b""], None]]),
        ToManager(b"a", TASKS, [[2, None, [b""], {"walltime": 3}], wire(3)]),
    ]
    machine.manager_died("a", "killed", 0.0)
    assert selector.told == [
        ("came", "a"),
        ("came", "b"),
        ("changed", "a", 2),
        ("changed", "b", 2),
        ("choose", {"near": "b"}, 0.25),
        ("changed", "b", 1),
        ("choose", {}, 0.25),  # it names nobody, so the task goes to any
        ("changed", "a", 1),
        ("choose", {}, 0.25),
        ("changed", "a", 0),
        ("gone", "a"),
    ]


def rich_and_idle() -> InterchangeMachine:
    """A manager that holds six tasks for two workers; another has nothing to do."""
    machine = running(a=8)
    give(machine, 1, 2, 3, 4, 5, 6)
    machine.time_passed(LOAD_PERIOD)
    register(machine, "b")
    machine.client_frame(ADMIT, ["b"], 1.0)
    return machine


def test_who_holds_too_much_is_asked_to_yield_once_others_were_idle_for_a_while() -> None:
    machine = rich_and_idle()
    assert machine.next_deadline() == 1.0 + YIELD_AFTER
    assert machine.time_passed(1.0) == []
    # Four more than its workers can run, and half of all workers are idle.
    assert machine.time_passed(1.0 + YIELD_AFTER) == [ToManager(b"a", YIELD, 2)]
    assert machine.time_passed(2.0) == []
    assert machine.manager_frame(b"a", RETURNED, 1, [], 2.0) == []
    assert machine.manager_frame(b"a", RETURNED, 1, [5, 6], 2.0) == [ToClient(RETURNED, [5, 6])]
    assert give(machine, 5, 6) == [ToManager(b"b", TASKS, [wire(5), wire(6)])]
    assert machine.time_passed(3.0) == [ToClient(LOAD, [["b", 2, False]])]


def test_who_had_nothing_to_yield_is_asked_again_once_something_has_ended() -> None:
    machine = rich_and_idle()
    machine.time_passed(2.0)
    machine.manager_frame(b"a", RETURNED, 1, [], 2.0)
    assert machine.time_passed(3.0) == []
    machine.manager_frame(b"a", RESULTS, 1, [1, 8, [outcome(1)]], 3.0)
    assert machine.time_passed(3.0 + YIELD_AFTER) == [ToManager(b"a", YIELD, 1)]


def test_nobody_is_asked_to_yield_while_something_waits_or_nobody_is_idle() -> None:
    machine = running(a=8, b=2)
    give(machine, *range(1, 11))
    machine.time_passed(LOAD_PERIOD)
    assert machine.next_deadline() == 5.0
    machine.manager_frame(b"b", RESULTS, 1, [1, 2, [outcome(2)]], 1.0)
    machine.client_frame(TASKS, [wire(11)], 1.0)
    assert machine.time_passed(1.0 + LOAD_PERIOD) == []
    assert machine.next_deadline() == 5.0


def test_ten_thousand_managers_cost_no_more_work_than_ten() -> None:
    def steps(managers: int) -> int:
        uids = [f"m{number}" for number in range(managers)]
        machine = running(**dict.fromkeys(uids, 4))
        give(machine, *range(managers * 2))
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            for number in range(20):
                body = [1, 4, [outcome(number % 10)]]
                machine.manager_frame(uids[number % 10].encode(), RESULTS, 1, body, 0.0)
                give(machine, 10**6 + number)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(10_000) <= 1.5 * steps(10)


class World:
    """A client and managers around the machine; it knows who was given what."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.machine = fresh()
        self.now = 0.0
        self.next = 0
        self.names = 0
        self.registrations = 0
        self.tasks: set[int] = set()  # sent down, and not come up in any way
        self.holder: dict[int, str] = {}
        self.capacity: dict[str, int] = {}
        self.route: dict[str, bytes] = {}
        self.admitted: set[str] = set()

    def see(self, effects: list[InterchangeEffect]) -> None:
        by_route = {route: uid for uid, route in self.route.items()}
        for effect in effects:
            match effect:
                case ToManager(route, kind, body) if kind == TASKS:
                    uid = by_route[route]
                    assert uid in self.admitted
                    for each in body:
                        assert each[0] in self.tasks
                        assert each[0] not in self.holder, "an attempt was given to two managers"
                        self.holder[each[0]] = uid
                    assert self.load(uid) <= self.capacity[uid]
                case ToClient(kind, body) if kind == RETURNED:
                    for attempt in body:
                        self.tasks.remove(attempt)
                        self.holder.pop(attempt, None)
                case ToClient(kind, body) if kind == LOST:
                    held = {each for each, uid in self.holder.items() if uid == body[0]}
                    assert set(body[1]) == held
                    self.give_up(body[0])
                case _:
                    pass

    def load(self, uid: str) -> int:
        return sum(each == uid for each in self.holder.values())

    def held(self, uid: str) -> list[int]:
        return [attempt for attempt, each in self.holder.items() if each == uid]

    def give_up(self, uid: str) -> None:
        for attempt in self.held(uid):
            del self.holder[attempt]
            self.tasks.remove(attempt)
        del self.capacity[uid], self.route[uid]
        self.admitted.discard(uid)

    def say(self, uid: str, kind: int, body: Any) -> None:
        self.see(self.machine.manager_frame(self.route[uid], kind, 1, body, self.now))

    def step(self) -> None:
        self.now += self.chance.random()
        draw = self.chance.random()
        if draw < 0.3:
            self.client_sends()
        elif draw < 0.4 and self.tasks:
            some = self.some(sorted(self.tasks))
            self.see(self.machine.client_frame(CANCEL, some, self.now))
        elif draw < 0.45:
            self.see(self.machine.client_frame(FORMS, [[b"a", b"1"], [b"b", b"2"]], self.now))
        elif draw < 0.5:
            self.see(self.machine.time_passed(self.now))
        elif draw < 0.55 and len(self.route) < 4:
            self.names += 1
            self.register(f"m{self.names}", [], [])
        elif draw < 0.62:
            self.admitted.update(self.route)
            self.see(self.machine.client_frame(ADMIT, sorted(self.route), self.now))
        elif self.route:
            self.manager_acts(self.chance.choice(sorted(self.route)))

    def some(self, among: list[int]) -> list[int]:
        return [each for each in among if self.chance.random() < 0.5]

    def client_sends(self) -> None:
        wires = []
        for _ in range(self.chance.randrange(4)):
            if len(self.tasks) < 30:
                self.next += 1
                self.tasks.add(self.next)
                wires.append(wire(self.next, self.chance.choice([None, b"a", b"b"])))
        self.see(self.machine.client_frame(TASKS, wires, self.now))

    def register(self, uid: str, held: list[int], finished: list[int]) -> None:
        self.capacity[uid] = self.chance.randrange(len(held) + len(finished), 12 + len(held))
        self.route[uid] = f"{uid}/{self.now}".encode()
        self.registrations += 1
        number = self.registrations
        body = registration(
            uid, self.capacity[uid], registration=number, held=held, finished=finished
        )
        self.say(uid, REGISTER, body)

    def manager_acts(self, uid: str) -> None:
        held = self.held(uid)
        some = self.some(held)
        draw = self.chance.random()
        if draw < 0.5:
            for attempt in some:
                del self.holder[attempt]
                self.tasks.remove(attempt)
            self.capacity[uid] = self.chance.randrange(len(held), len(held) + 8)
            batch = [outcome(each) for each in some]
            self.say(uid, RESULTS, [1, self.capacity[uid], batch])
        elif draw < 0.7:
            self.say(uid, RETURNED, some)
        elif draw < 0.8:
            self.say(uid, NEED, [b"a", b"c"])
        elif draw < 0.9:
            kept = self.some(some)
            self.register(uid, kept, [each for each in some if each not in kept])
        elif draw < 0.95:
            self.say(uid, GOODBYE, ["done", []])
        elif draw < 0.97:
            self.see(self.machine.manager_died(uid, "killed", 0.0))
        else:
            effects = self.machine.client_frame(FENCE, [uid], self.now)
            self.give_up(uid)
            self.see(effects)

    def check(self) -> None:
        self.machine.check()
        room = any(self.load(uid) < self.capacity[uid] for uid in self.admitted)
        assert not room or len(self.holder) == len(self.tasks), "a task waits while there is room"


def test_in_a_random_walk_no_attempt_is_with_two_managers_and_none_waits_beside_room() -> None:
    world = World(seed=2)
    for _ in range(100_000):
        world.step()
        world.check()
    assert world.next > 10_000
    world.register("last", [], [])
    world.capacity["last"] = 100
    world.say("last", RESULTS, [1, 100, []])
    world.admitted.add("last")
    world.see(world.machine.client_frame(ADMIT, ["last"], world.now))
    assert world.holder.keys() == world.tasks


def test_a_failed_initializer_is_passed_on_with_the_name_of_its_manager() -> None:
    machine = running(a=2)
    assert machine.manager_frame(b"a", UNFIT, 1, "why", 0.0) == [ToClient(UNFIT, ["a", "why"])]


def test_the_client_hears_by_and_by_how_many_workers_are_busy_and_only_what_is_news() -> None:
    machine = running(a=4, b=4)
    give(machine, 1, 2, 3)
    assert machine.next_deadline() == LOAD_PERIOD
    told = ToClient(LOAD, [["a", 2, False], ["b", 1, False]])
    assert machine.time_passed(LOAD_PERIOD) == [told]
    machine.manager_frame(b"a", RESULTS, 1, [1, 4, [outcome(1)]], 1.0)
    machine.client_frame(TASKS, [wire(4), wire(5), wire(6)], 1.0)
    # All workers of both have a task now, and of the first that is no news.
    assert machine.time_passed(1.5) == [ToClient(LOAD, [["b", 2, False]])]
    machine.check()


def test_one_that_was_busy_in_between_is_said_to_be_idle_again() -> None:
    machine = running(a=4)
    give(machine, 1)
    machine.manager_frame(b"a", RESULTS, 1, [1, 4, [outcome(1)]], 0.01)
    assert machine.time_passed(LOAD_PERIOD) == [ToClient(LOAD, [["a", 0, False]])]
    assert machine.time_passed(1.0) == []


def test_a_manager_that_drains_is_given_nothing_and_counts_for_no_credit() -> None:
    machine = running(a=40, b=2)
    assert machine.client_frame(DRAIN, ["a", "unknown"], 0.0) == [
        ToManager(b"a", DRAIN, "it was asked to"),
        ToClient(CREDIT, 18),
    ]
    assert give(machine, 1, 2, 3) == [ToManager(b"b", TASKS, [wire(1), wire(2)])]
    assert machine.time_passed(LOAD_PERIOD) == [ToClient(LOAD, [["a", 0, True], ["b", 2, False]])]
    machine.check()


def test_a_drained_manager_is_told_once_what_was_on_its_way_to_it_has_come_back() -> None:
    machine = running(a=4)
    give(machine, 1, 2)
    machine.manager_frame(b"a", DRAINING, 1, "its time is over", 1.0)
    machine.manager_frame(b"a", RESULTS, 1, [1, 0, [outcome(1)]], 1.0)
    assert machine.manager_frame(b"a", DRAINED, 1, "its time is over", 2.0) == []
    assert machine.manager_frame(b"a", RETURNED, 1, [2], 2.0) == [
        ToClient(RETURNED, [2]),
        ToClient(LEFT, ["a", "its time is over"]),
    ]
    assert machine.client_frame(FENCE, ["a"], 3.0) == [
        ToManager(b"a", REFUSE, "this incarnation was given up"),
        Forget("a"),
        ToClient(CREDIT, 0),
    ]


def test_a_manager_drains_still_when_it_registers_anew() -> None:
    machine = running(a=4)
    register(machine, "b", 0, draining=True)
    machine.client_frame(ADMIT, ["b"], 0.0)
    machine.client_frame(DRAIN, ["a"], 0.0)
    register(machine, "a", 4, registration=2)  # it has not heard of it
    assert give(machine, 1) == []
    machine.check()


def test_a_block_on_hold_is_given_nothing_and_gives_back_what_it_can() -> None:
    machine = running(a=4)
    give(machine, 1, 2, 3)
    assert machine.client_frame(HOLD, ["0"], 0.0) == [
        ToManager(b"a", YIELD, 3),
        ToClient(CREDIT, 16),
    ]
    machine.manager_frame(b"a", RETURNED, 1, [3], 0.0)
    assert give(machine, 3) == []
    register(machine, "b", held=[7])
    machine.client_frame(ADMIT, ["b"], 0.0)
    machine.check()
    # Either manager has a worker without a task.
    assert machine.client_frame(HOLD, [], 0.0) == [
        ToClient(CREDIT, 22),
        ToManager(b"b", TASKS, [wire(3)]),
    ]
    machine.check()


def test_what_is_lost_with_a_manager_about_the_end_of_its_block_was_ended_with_it() -> None:
    machine = fresh()
    for uid in "ab":
        register(machine, uid, block_end=[100.0, 10.0])
    machine.client_frame(ADMIT, ["a", "b"], 0.0)
    give(machine, 1, 2)
    (_, _, early, _) = machine.manager_died("a", "killed", 50.0)
    machine.manager_frame(b"b", HEARTBEAT, 1, 1.0, 85.0)
    (_, _, late, _) = machine.manager_died("b", "killed", 101.0)
    assert isinstance(early, ToClient)
    assert isinstance(late, ToClient)
    assert early.body[1::2] == [[1], "node_lost"]
    assert late.body[1::2] == [[2], "block_ended"]
    assert "its block was to end about now" in late.body[2]


def on(node: str, uid: str) -> list[Any]:
    return list(info(uid)._replace(host=node))


def choosy(attempt: int, **options: Any) -> list[Any]:
    return [attempt, None, [b""], options]


def test_a_task_is_not_given_to_a_node_that_it_avoids_and_waits_for_another() -> None:
    machine = fresh()
    register(machine, "a", info=on("n1", "a"))
    machine.client_frame(ADMIT, ["a"], 0.0)
    tasks = [choosy(1, avoid=["n1"]), wire(2)]
    # One that waits for another node stands in nobody's way.
    assert machine.client_frame(TASKS, tasks, 0.0) == [
        ToManager(b"a", TASKS, [wire(2)]),
        ToClient(CREDIT, 19),
    ]
    machine.check()
    register(machine, "b", info=on("n2", "b"))
    effects = machine.client_frame(ADMIT, ["b"], 0.0)
    assert ToManager(b"b", TASKS, [wire(1)]) in effects
    machine.check()


def test_a_task_is_given_only_where_it_can_end_in_time() -> None:
    machine = fresh()
    register(machine, "a", block_end=[30.0, 3.0])
    machine.client_frame(ADMIT, ["a"], 0.0)
    assert machine.client_frame(TASKS, [choosy(1, expected=40.0)], 0.0) == [ToClient(CREDIT, 19)]
    register(machine, "b")
    effects = machine.client_frame(ADMIT, ["b"], 0.0)
    assert ToManager(b"b", TASKS, [wire(1)]) in effects
    machine.check()


def test_how_long_a_task_takes_matters_from_the_first_block_on_that_ends() -> None:
    machine = fresh()
    machine.client_frame(TASKS, [choosy(1, expected=40.0), wire(2)], 0.0)
    register(machine, "a", block_end=[30.0, 3.0])
    effects = machine.client_frame(ADMIT, ["a"], 0.0)
    assert ToManager(b"a", TASKS, [wire(2)]) in effects
    machine.check()
    assert ToClient(RETURNED, [1]) in machine.client_frame(CANCEL, [1], 0.0)
    machine.manager_died("a", "killed", 1.0)
    register(machine, "b")
    machine.client_frame(ADMIT, ["b"], 1.0)
    # No block is known to end any more.
    effects = machine.client_frame(TASKS, [choosy(3, expected=1e9)], 1.0)
    assert ToManager(b"b", TASKS, [wire(3)]) in effects
    machine.check()


def test_a_task_that_avoids_a_node_is_not_starved_by_those_that_are_sent_ahead() -> None:
    machine = fresh()
    register(machine, "a", 8, info=on("n1", "a"))
    machine.client_frame(ADMIT, ["a"], 0.0)
    give(machine, 1, 2, 3, 4)
    machine.client_frame(TASKS, [choosy(9, avoid=["n2"])], 0.0)
    assert give(machine, 5, 6) == []
    for number in (1, 2):
        results = [number, 8, [outcome(number)]]
        assert len(machine.manager_frame(b"a", RESULTS, 1, results, 0.0)) == 1
    machine.check()
    # Now a worker is free: it is the turn of either.
    effects = machine.manager_frame(b"a", RESULTS, 1, [3, 8, [outcome(3)]], 0.0)
    effects += machine.manager_frame(b"a", RESULTS, 1, [4, 8, [outcome(4)]], 0.0)
    sent = [each.body for each in effects if isinstance(each, ToManager)]
    assert 9 in [task[0] for tasks in sent for task in tasks]
    machine.check()


def test_one_that_asks_for_something_avoids_nodes_as_well() -> None:
    machine = fresh()
    for uid, node in (("a", "n1"), ("b", "n2")):
        register(machine, uid, info=on(node, uid), offer={"cores": 4})
    machine.client_frame(ADMIT, ["a", "b"], 0.0)
    task = choosy(1, avoid=["n1"], resources={"cores": 2})
    asked = [1, None, [b""], {"resources": {"cores": 2}}]
    assert machine.client_frame(TASKS, [task], 0.0) == [ToManager(b"b", TASKS, [asked])]
    machine.check()


def test_what_several_managers_need_is_asked_for_once_and_sent_to_those() -> None:
    machine = running(a=2, b=2, c=2)
    assert machine.manager_frame(b"a", NEED, 1, [b"s"], 0.0) == [ToClient(NEED, [b"s"])]
    assert machine.manager_frame(b"b", NEED, 1, [b"s"], 0.0) == []
    entry = [b"s", b"it", True]
    assert machine.client_frame(FORMS, [entry], 0.0) == [
        ToManager(b"a", FORMS, [entry]),
        ToManager(b"b", FORMS, [entry]),
    ]
    # Another that comes later has it from here.
    assert machine.manager_frame(b"c", NEED, 1, [b"s"], 0.0) == [ToManager(b"c", FORMS, [entry])]


def test_what_nobody_has_is_said_to_whom_it_was_asked_for() -> None:
    machine = running(a=2)
    machine.manager_frame(b"a", NEED, 1, [b"s"], 0.0)
    assert machine.client_frame(FORMS, [[b"s", None]], 0.0) == [
        ToManager(b"a", FORMS, [[b"s", None]])
    ]
    assert machine.manager_frame(b"a", NEED, 1, [b"s"], 0.0) == [ToClient(NEED, [b"s"])]


def test_what_is_not_needed_any_more_is_dropped_here_and_everywhere_below() -> None:
    machine = running(a=2, b=2)
    machine.client_frame(FORMS, [[b"s", b"it", True]], 0.0)
    assert machine.client_frame(DROP, [b"s"], 0.0) == [
        ToManager(b"a", DROP, [b"s"]),
        ToManager(b"b", DROP, [b"s"]),
    ]
    assert machine.manager_frame(b"a", NEED, 1, [b"s"], 0.0) == [ToClient(NEED, [b"s"])]


def test_a_manager_that_comes_by_a_new_route_is_sent_what_it_asks_for_there_once() -> None:
    machine = running(a=2)
    machine.manager_frame(b"a", NEED, 1, [b"s"], 0.0)
    machine.manager_frame(b"a2", REGISTER, 0, registration("a", registration=2), 0.0)
    assert machine.client_frame(FORMS, [[b"s", b"it", True]], 0.0) == []
    assert machine.manager_frame(b"a2", NEED, 1, [b"s"], 0.0) == [
        ToManager(b"a2", FORMS, [[b"s", b"it", True]])
    ]
