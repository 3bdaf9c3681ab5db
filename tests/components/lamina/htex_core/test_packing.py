"""Tasks that ask for something of the node: which waits, and which has what."""

import random
from typing import Any

from lamina.htex_core import (
    UNDONE,
    VALUE,
    Give,
    KillWorker,
    ManagerEffect,
    ManagerInfo,
    ManagerMachine,
    SendOut,
    StartWorker,
)
from lamina.htex_core.frames import CANCEL, FORMS, NEED, REGISTER, RESULTS, RETURNED, TASKS, WELCOME
from lamina.htex_core.packing import Bound, Packing, asks, with_binding
from lamina.resources import Binding, NodeBinder, NodeFacts

DIGEST = b"d" * 16


def binder(cores: int = 4, **options: Any) -> NodeBinder:
    made = NodeBinder(**options)
    made.offer(NodeFacts(host="n1", cores=tuple(range(cores)), memory=2**30))
    return made


def wire(attempt: int, cores: float = 0, digest: bytes | None = None, **options: Any) -> list[Any]:
    if cores:
        options["resources"] = {"cores": cores}
    return [attempt, digest, [b""], options or None]


def machine(cores: int = 4, slots: int | None = None, **options: Any) -> ManagerMachine:
    shares = NodeBinder(**options)
    facts = NodeFacts(host="n1", cores=tuple(range(cores)), memory=2**30, most_workers=slots)
    workers = shares.offer(facts).workers
    made = ManagerMachine(
        ManagerInfo("m", "0", "n1", "boot", 1, workers, "3.11", "0.1"),
        heartbeat_period=10.0,
        heartbeat_threshold=30.0,
        binder=shares,
        offer={"cores": cores},
    )
    made.start(0.0)
    made.frame(WELCOME, 1, None, 0.0)
    for number in range(workers):
        made.worker_up(number, 0.0)
    return made


def given(effects: list[ManagerEffect]) -> dict[int, list[int]]:
    """The attempts that each worker was given."""
    found: dict[int, list[int]] = {}
    for effect in effects:
        if isinstance(effect, Give):
            found.setdefault(effect.worker, []).extend(task[0] for task in effect.tasks)
    return found


def tasks(manager: ManagerMachine, *wires: list[Any]) -> dict[int, list[int]]:
    found = given(manager.frame(TASKS, 1, list(wires), 0.0))
    manager.check()
    return found


def done(manager: ManagerMachine, worker: int, attempt: int) -> dict[int, list[int]]:
    manager.worker_ended_task(worker, [attempt, VALUE, [b"v"], 0.0, 1.0, None], 1.0)
    found = given(manager.flush(1.0))
    manager.check()
    return found


# The queue on its own.


def test_a_task_asks_if_its_options_say_what_for() -> None:
    assert asks(wire(1, cores=1))
    assert not asks(wire(1))
    assert not asks(wire(1, walltime=2.0))


def test_while_the_oldest_does_not_fit_no_younger_one_is_bound() -> None:
    packing = Packing("n1", binder())
    for attempt, cores in ((1, 3), (2, 2), (3, 1)):
        assert packing.add(wire(attempt, cores)) == ""
    first = packing.next_for(0)
    assert first is not None
    assert first[0][0] == 1
    assert packing.next_for(1) is None, "2 does not fit, and 3 is younger"
    packing.release(first[1])
    second, third = packing.next_for(0), packing.next_for(1)
    assert second is not None
    assert third is not None
    assert (second[0][0], third[0][0]) == (2, 3)
    assert packing.idle is False
    packing.release(second[1])
    packing.release(third[1])
    assert packing.idle


def test_what_can_never_be_bound_is_refused_with_the_figures() -> None:
    packing = Packing("n1", binder())
    assert packing.add(wire(1, 5)) == "it asks for 5 cores, of which there are 4 (on n1)"
    assert packing.add([1, None, [], {"resources": {"cores": -1}}]).startswith("what it asks for")
    assert packing.add([1, None, [], {"resources": {"cores": "x"}}]).startswith("what it asks for")
    assert Packing("n1").add(wire(1, 5)) == (
        "it asks for 5 cores, which this executor does not hand out"
    )
    assert packing.idle


def test_tasks_are_taken_out_by_name_or_all() -> None:
    packing = Packing("n1", binder())
    for attempt in (1, 2, 3):
        packing.add(wire(attempt, 1))
    packing.add(wire(9, 1), first=True)
    assert [each[0] for each in packing.waiting()] == [9, 1, 2, 3]
    assert [each[0] for each in packing.take({2, 7})] == [2]
    assert [each[0] for each in packing.take()] == [9, 1, 3]
    assert not packing.waits


def test_a_worker_gets_what_it_is_due_unless_the_oldest_waits_for_it() -> None:
    packing = Packing("n1", binder())
    packing.add(wire(1, 3))
    assert packing.due(0) is not None
    assert packing.due(1) is None
    assert packing.due(1, at_work=True) is not None
    assert Packing("n1").due(0) == Bound(Binding({}), asked=False)


def test_the_tasks_own_variables_have_the_last_word() -> None:
    made = with_binding(
        wire(1, 2, env={"A": "mine"}, walltime=3.0), Binding({"A": "theirs", "B": "b"}, (2, 3))
    )
    assert made == [
        1,
        None,
        [b""],
        {"env": {"A": "mine", "B": "b"}, "walltime": 3.0, "cpus": [2, 3]},
    ]
    assert with_binding(wire(1, 2), Binding({})) == [1, None, [b""], {"env": {}}]


# In the manager.


def test_it_registers_with_what_it_offers() -> None:
    manager = machine()
    (sent,) = manager.reconnected(1.0)
    assert isinstance(sent, SendOut)
    assert (sent.kind, sent.body["offer"]) == (REGISTER, {"cores": 4})


def test_a_worker_begins_with_what_its_place_is_due() -> None:
    manager = machine(2, cpu_affinity="block")
    manager.worker_died(0, "killed", 0, 1.0)
    (started,) = [e for e in manager.worker_died(1, "x", 0, 1.0) if isinstance(e, StartWorker)]
    assert started.worker == 3
    assert started.binding is not None
    assert started.binding.cpus == (1,), "the place of the one that has died last"
    manager.check()


def test_what_fits_is_packed_and_bound() -> None:
    manager = machine(cpu_affinity="block")
    effects = manager.frame(TASKS, 1, [wire(1, 3), wire(2, 1)], 0.0)
    assert effects == [
        Give(0, [[1, None, [b""], {"env": {"OMP_NUM_THREADS": "3"}, "cpus": [0, 1, 2]}]], []),
        Give(1, [[2, None, [b""], {"env": {"OMP_NUM_THREADS": "1"}, "cpus": [3]}]], []),
    ]
    manager.check()


def test_a_wide_task_is_not_starved_by_narrow_ones() -> None:
    manager = machine()
    assert tasks(manager, wire(1, 2), wire(2, 2), wire(3, 4), wire(4, 1)) == {0: [1], 1: [2]}
    assert done(manager, 0, 1) == {}, "3 waits for all cores, and 4 is younger"
    assert done(manager, 1, 2) == {0: [3]}
    assert done(manager, 0, 3) == {0: [4]}


def test_tasks_that_ask_for_nothing_leave_room_for_the_one_that_waits() -> None:
    manager = machine()
    assert tasks(manager, wire(1, 3), wire(2, 2)) == {0: [1]}
    # Two of four cores are what 2 waits for, so two workers may go on.
    assert tasks(manager, wire(3), wire(4), wire(5)) == {1: [3]}, "one core is free"
    assert done(manager, 0, 1) == {0: [2], 2: [4]}
    assert done(manager, 1, 3) == {1: [5]}


def test_a_wide_task_gets_a_worker_though_short_ones_keep_all_busy() -> None:
    manager = machine(2)
    tasks(manager, wire(1), wire(2))
    done(manager, 0, 1)
    done(manager, 1, 2)
    assert tasks(manager, *[wire(n) for n in range(10, 14)]) == {0: [10], 1: [11]}
    assert tasks(manager, wire(20, 2)) == {}
    assert done(manager, 0, 10) == {}, "the worker stays free, for 20 needs both cores"
    assert done(manager, 1, 11) == {0: [20]}
    assert done(manager, 0, 20) == {0: [12], 1: [13]}


def test_what_no_worker_is_bound_for_is_not_counted() -> None:
    """Oversubscribed workers can all be at work when the first task comes that asks."""
    manager = machine(2, slots=4, cores_per_worker=0.5)
    tasks(manager, *[wire(n) for n in range(4)])
    assert tasks(manager, wire(9, 1)) == {}
    assert done(manager, 0, 0) == {}
    assert done(manager, 1, 1) == {0: [9]}


def test_what_the_node_does_not_have_ends_at_once() -> None:
    manager = machine()
    assert tasks(manager, wire(1, 5)) == {}
    (sent,) = manager.flush(1.0)
    assert isinstance(sent, SendOut)
    assert sent.kind == RESULTS
    ((attempt, code, _, _, _, facts),) = sent.body[2]
    assert (attempt, code) == (1, UNDONE)
    assert facts == {
        "cause": "resources",
        "reason": "it asks for 5 cores, of which there are 4 (on n1)",
        "started": "no",
    }


def test_the_death_of_a_worker_frees_what_its_task_had() -> None:
    manager = machine()
    tasks(manager, wire(1, 4), wire(2, 4))
    assert given(manager.worker_died(0, "killed", 0, 1.0)) == {1: [2]}
    manager.check()


def test_a_task_that_its_worker_had_not_begun_waits_again_as_the_first() -> None:
    manager = machine()
    tasks(manager, wire(1, 4), wire(2, 4))
    assert given(manager.worker_died(0, "killed", 1, 1.0)) == {1: [1]}
    manager.check()


def test_one_that_waits_is_cancelled_without_ado_and_one_that_runs_by_force() -> None:
    manager = machine()
    tasks(manager, wire(1, 4), wire(2, 4), wire(3, 4))
    assert manager.frame(CANCEL, 1, [2], 1.0) == [SendOut(RETURNED, [2])]
    assert manager.frame(CANCEL, 1, [1], 1.0) == [KillWorker(0)]
    assert given(manager.worker_died(0, "killed", 0, 1.0)) == {1: [3]}
    manager.check()


def test_those_that_wait_are_held_and_given_back_when_it_leaves() -> None:
    manager = machine()
    tasks(manager, wire(1, 4), wire(2, 4))
    (sent,) = manager.reconnected(1.0)
    assert isinstance(sent, SendOut)
    assert sent.body["held"] == [2, 1]
    manager.frame(WELCOME, 2, None, 1.0)
    effects = manager.stop("over", 2.0)
    assert SendOut(RETURNED, [2]) in effects


def test_a_function_by_value_travels_with_them() -> None:
    manager = machine()
    assert manager.frame(TASKS, 1, [wire(1, 2, DIGEST)], 0.0) == [SendOut(NEED, [DIGEST])]
    effects = manager.frame(FORMS, 1, [[DIGEST, b"form"]], 0.0)
    assert [e.forms for e in effects if isinstance(e, Give)] == [[(DIGEST, b"form")]]
    manager.check()


def test_any_order_of_events_ends_with_every_core_free() -> None:
    for seed in range(40):
        chance = random.Random(seed)
        manager = machine(
            4, slots=chance.randint(1, 6), cores_per_worker=chance.choice([0.5, 1, 2])
        )
        alive = {number: list[int]() for number in range(manager.info.slots)}
        attempts, ended, now = 0, set[int](), 0.0

        def perform(effects: list[ManagerEffect], alive: dict[int, list[int]] = alive) -> None:
            for effect in effects:
                if isinstance(effect, Give):
                    alive[effect.worker] += [task[0] for task in effect.tasks]
                elif isinstance(effect, StartWorker):
                    alive[effect.worker] = []

        for _ in range(300):
            now += 0.01
            draw = chance.random()
            busy = [number for number, held in alive.items() if held]
            if draw < 0.45:
                wires = []
                for _ in range(chance.randint(1, 3)):
                    attempts += 1
                    cores = chance.choice([0, 0, 0, 0.5, 1, 2, 4])
                    wires.append(wire(attempts, cores))
                perform(manager.frame(TASKS, 1, wires, now))
            elif draw < 0.9 and busy:
                number = chance.choice(busy)
                attempt = alive[number].pop(0)
                ended.add(attempt)
                outcome = [attempt, VALUE, [b""], now - 0.01, now, None]
                perform(manager.worker_ended_task(number, outcome, now))
                perform(manager.flush(now))
            elif draw < 0.95 and busy:
                number = chance.choice(busy)
                held = alive.pop(number)
                unclaimed = chance.randint(0, len(held))
                ended.update(held[: len(held) - unclaimed])
                perform(manager.worker_died(number, "killed", unclaimed, now))
                perform([e for n in alive for e in manager.worker_up(n, now)])
            manager.check()
        while busy := [number for number, held in alive.items() if held]:
            now += 0.01
            number = busy[0]
            attempt = alive[number].pop(0)
            ended.add(attempt)
            perform(manager.worker_ended_task(number, [attempt, VALUE, [b""], 0, 1, None], now))
            perform(manager.flush(now))
            manager.check()
        assert ended == set(range(1, attempts + 1)), f"seed {seed}: some wait for ever"
