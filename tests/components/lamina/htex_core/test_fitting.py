"""The interchange's tasks that ask for something of a node: who is to have them."""

import random
from typing import Any

from lamina.htex_core import PROTOCOL, InterchangeMachine, ManagerInfo, ToManager
from lamina.htex_core.fitting import LOOK, Fitting
from lamina.htex_core.frames import (
    ADMIT,
    CANCEL,
    GOODBYE,
    REGISTER,
    RESULTS,
    RETURNED,
    TASKS,
)


def wire(attempt: int, **wanted: Any) -> list[Any]:
    return [attempt, None, [], {"resources": wanted} if wanted else None]


def fitting(*offers: dict[str, float]) -> Fitting:
    made = Fitting()
    for n, offer in enumerate(offers):
        made.came(f"m{n}", offer, ())
        made.placed(f"m{n}", room=True)
    return made


def wait(made: Fitting, *wires: list[Any]) -> list[tuple[int, str]]:
    for each in wires:
        made.waiting[each[0]] = each
    found = [(task[0], uid) for task, uid in made.matches()]
    made.check()
    return found


def test_a_task_goes_where_it_fits_now() -> None:
    made = fitting({"cores": 4}, {"cores": 4})
    assert wait(made, wire(1, cores=3), wire(2, cores=3), wire(3, cores=1), wire(4, cores=1)) == [
        (1, "m0"),
        (2, "m1"),
        (3, "m0"),
        (4, "m1"),
    ]


def test_where_it_fits_nobody_now_it_is_somebodys_next_and_the_others_pass_that_one_by() -> None:
    made = fitting({"cores": 4}, {"cores": 4})
    wait(made, wire(1, cores=3), wire(2, cores=2))
    assert wait(made, wire(3, cores=4)) == [(3, "m0")]
    assert wait(made, wire(4, cores=2), wire(5, cores=1)) == [(4, "m1"), (5, "m1")]
    made.ended("m0", [1])
    assert wait(made, wire(6, cores=1)) == [(6, "m0")]
    assert wait(made, wire(7, cores=1)) == []


def test_what_nobody_has_in_all_is_not_possible() -> None:
    made = fitting({"cores": 4}, {"cores": 8})
    assert made.possible(wire(1, cores=8))
    assert not made.possible(wire(1, cores=9))


def test_those_who_may_not_have_it_are_passed_over() -> None:
    made = fitting(*[{"cores": 4}] * (2 * LOOK))
    task = wire(1, cores=2)
    last = f"m{2 * LOOK - 1}"
    assert made.choose(task, lambda uid, _: uid == last) == last
    assert made.choose(task, lambda uid, _: False) is None
    assert made.choose(wire(1, cores=5), lambda uid, _: False) is None


def test_it_goes_to_the_only_kind_that_has_what_it_asks_for() -> None:
    made = fitting({"cores": 4}, {"cores": 2, "accelerators": 1}, {"cores": 4})
    assert wait(made, wire(1, accelerators=1), wire(2, accelerators=1)) == [(1, "m1"), (2, "m1")]
    assert wait(made, wire(3, accelerators=1)) == [], "m1 has its next already"
    assert wait(made, wire(4, cores=4)) == [(4, "m0")], "it does not wait behind 3"
    made.ended("m1", [1])
    assert wait(made) == [(3, "m1")]


def test_what_nobody_has_goes_to_anybody_who_will_say_so() -> None:
    made = fitting({"cores": 4})
    assert wait(made, wire(1, cores=5)) == [(1, "m0")]
    made = fitting({})
    assert wait(made, wire(1, extra={"licences": 3})) == [(1, "m0")]


def test_nodes_whose_memory_hardly_differs_are_alike() -> None:
    made = fitting({"memory": 2**36 + 1000}, {"memory": 2**36 + 7}, {"memory": 2**37})
    assert len(made._candidates) == 2
    assert wait(made, wire(1, memory=2**36), wire(2, memory=2**36)) == [(1, "m0"), (2, "m1")]
    assert wait(made, wire(3, memory=2**37)) == [(3, "m2")]


def test_who_has_no_room_is_not_chosen() -> None:
    made = fitting({"cores": 4}, {"cores": 4})
    made.placed("m0", room=False)
    assert wait(made, wire(1, cores=1), wire(2, cores=1)) == [(1, "m1"), (2, "m1")]
    made.placed("m1", room=False)
    assert wait(made, wire(3, cores=1)) == []
    made.placed("m0", room=True)
    assert wait(made) == [(3, "m0")]


def test_a_kind_that_has_left_is_waited_for_by_nobody() -> None:
    made = fitting({"cores": 4}, {"accelerators": 1})
    made.gone("m1")
    assert wait(made, wire(1, accelerators=1)) == [(1, "m0")], "which refuses it"


def test_one_that_registers_again_holds_what_it_held() -> None:
    made = fitting({"cores": 4})
    wait(made, wire(1, cores=4), wire(2, cores=4))
    made.came("m0", {"cores": 4}, [1])
    made.placed("m0", room=True)
    assert made.concerns("m0")
    assert wait(made, wire(3, cores=1)) == [(3, "m0")], "its next, now that 2 is not"
    assert wait(made, wire(4, cores=1)) == []
    made.ended("m0", [1, 3])
    assert not made.concerns("m0")


def test_only_so_many_are_passed_over() -> None:
    made = fitting({"cores": 4}, {"accelerators": 1})
    made.placed("m1", room=False)
    stuck = [wire(n, accelerators=1) for n in range(LOOK)]
    assert wait(made, *stuck, wire(99, cores=1)) == []
    made.placed("m1", room=True)
    assert wait(made)[-1] == (99, "m0")


def test_a_thousand_managers_share_what_there_is() -> None:
    made = fitting(*[{"cores": 2}] * 1000)
    given = wait(made, *[wire(n, cores=1) for n in range(2000)])
    counts = [sum(uid == f"m{n}" for _, uid in given) for n in (0, 1, 500, 999)]
    assert (len(given), counts) == (2000, [2, 2, 2, 2])


# In the interchange.


def machine(*offers: dict[str, float], slots: int = 4) -> InterchangeMachine:
    made = InterchangeMachine(1, "3.11", "0.1", heartbeat_period=10.0, heartbeat_threshold=30.0)
    for n, offer in enumerate(offers):
        info = ManagerInfo(f"m{n}", "0", "host", "boot", n, slots, "3.11", "0.1")
        body = {
            "protocol": PROTOCOL, "registration": 1, "info": list(info), "capacity": slots,
            "held": [], "finished": [], "offer": offer,
        }  # fmt: skip
        made.manager_frame(b"%d" % n, REGISTER, 1, body, 0.0)
    made.client_frame(ADMIT, [f"m{n}" for n in range(len(offers))], 0.0)
    return made


def given(effects: list[Any]) -> dict[int, list[int]]:
    return {
        int(effect.route): [task[0] for task in effect.body]
        for effect in effects
        if isinstance(effect, ToManager) and effect.kind == TASKS
    }


def ended(made: InterchangeMachine, manager: int, *attempts: int) -> dict[int, list[int]]:
    outcomes = [[attempt, 0, [], 0.0, 1.0, None] for attempt in attempts]
    effects = made.manager_frame(b"%d" % manager, RESULTS, 1, [1, 4, outcomes], 1.0)
    made.check()
    return given(effects)


def test_tasks_wait_until_somebody_may_have_them() -> None:
    made = machine({"cores": 4}, {"cores": 4})
    tasks = [wire(n, cores=4) for n in range(1, 7)]
    assert given(made.client_frame(TASKS, tasks, 0.0)) == {0: [1, 3], 1: [2, 4]}
    made.check()
    assert ended(made, 1, 2) == {1: [5]}
    assert ended(made, 0, 1) == {0: [6]}


def test_tasks_that_ask_and_tasks_that_do_not_have_turns() -> None:
    made = machine({"cores": 4}, slots=1)
    made.client_frame(TASKS, [wire(1)], 0.0)
    body = [wire(2), wire(3), wire(4, cores=1), wire(5, cores=1)]
    made.client_frame(TASKS, body, 0.0)
    order = [1]
    for _ in range(4):
        effects = made.manager_frame(
            b"0", RESULTS, 1, [1, 1, [[order[-1], 0, [], 0.0, 1.0, None]]], 1.0
        )
        order += given(effects)[0]
        made.check()
    assert sorted(order) == [1, 2, 3, 4, 5]
    assert {order[1], order[2]} in ({2, 4}, {4, 2})


def test_what_waits_is_cancelled_and_what_comes_back_is_not_counted() -> None:
    made = machine({"cores": 4})
    made.client_frame(TASKS, [wire(n, cores=4) for n in (1, 2, 3)], 0.0)
    (answer,) = made.client_frame(CANCEL, [3], 0.0)
    assert (answer.kind, answer.body) == (RETURNED, [3])
    made.manager_frame(b"0", RETURNED, 1, [2], 0.0)
    made.check()
    assert given(made.client_frame(TASKS, [wire(4, cores=4)], 0.0)) == {0: [4]}
    made.manager_frame(b"0", GOODBYE, 1, ["over", [1]], 0.0)
    made.check()
    assert given(made.client_frame(TASKS, [wire(5, cores=4)], 0.0)) == {}


def test_any_order_of_events_ends_every_task() -> None:
    chance = random.Random(3)
    made = machine({"cores": 4}, {"cores": 2}, {"cores": 4, "accelerators": 2}, slots=3)
    held: dict[int, list[int]] = {0: [], 1: [], 2: []}
    count = done = 0

    def take(found: dict[int, list[int]]) -> None:
        for manager, attempts in found.items():
            held[manager] += attempts

    for step in range(3000):
        if step < 1500 and chance.random() < 0.5:
            wanted = chance.choice([{}, {"cores": 1}, {"cores": 4}, {"accelerators": 0.5}])
            count += 1
            take(given(made.client_frame(TASKS, [wire(count, **wanted)], 0.0)))
        elif busy := [manager for manager, some in held.items() if some]:
            manager = chance.choice(busy)
            attempt = held[manager].pop(chance.randrange(len(held[manager])))
            done += 1
            take(ended(made, manager, attempt))
        made.check()
    assert done == count
