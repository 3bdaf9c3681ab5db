"""The manager's machine: which worker runs what."""

import random
import sys
from typing import Any

import pytest

from lamina.htex_core import (
    PROTOCOL,
    UNDONE,
    VALUE,
    DropForms,
    Give,
    KillWorker,
    LeaveNode,
    ManagerEffect,
    ManagerInfo,
    ManagerMachine,
    Measure,
    Recall,
    SendOut,
    StartWorker,
)
from lamina.htex_core.frames import (
    ACK,
    CANCEL,
    DRAIN,
    DRAINED,
    DRAINING,
    DROP,
    FORMS,
    GOODBYE,
    HEARTBEAT,
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


def info(slots: int) -> ManagerInfo:
    return ManagerInfo("m", "0", "host", "boot", 1, slots, "3.11", "0.1")


def wire(
    attempt: int, digest: bytes | None = None, options: dict[str, Any] | None = None
) -> list[Any]:
    return [attempt, digest, [b""], options]


def outcome(attempt: int, took: float = 1.0) -> list[Any]:
    return [attempt, VALUE, [b"v"], 0.0, took, None]


def running(slots: int = 1, *, up: bool = True) -> ManagerMachine:
    machine = ManagerMachine(info(slots), heartbeat_period=10.0, heartbeat_threshold=30.0)
    machine.start(0.0)
    machine.frame(WELCOME, 1, None, 0.0)
    if up:
        for number in range(slots):
            machine.worker_up(number, 0.0)
    return machine


def give(machine: ManagerMachine, *attempts: int, now: float = 0.0) -> list[ManagerEffect]:
    return machine.frame(TASKS, 1, [wire(attempt) for attempt in attempts], now)


def bundling(slots: int = 1) -> ManagerMachine:
    """A manager that has measured tasks of no length, so that it gives out bundles."""
    machine = running(slots)
    give(machine, 1000)
    machine.worker_ended_task(0, outcome(1000, took=0.0), 0.0)
    machine.flush(0.0)
    machine.frame(ACK, 1, 1, 0.0)
    return machine


def registration(capacity: int, held: list[int], finished: list[int], number: int = 1) -> SendOut:
    body = {
        "protocol": PROTOCOL,
        "registration": number,
        "info": list(info(1)),
        "capacity": capacity,
        "held": held,
        "finished": finished,
    }
    return SendOut(REGISTER, body)


def test_it_starts_its_workers_and_registers() -> None:
    machine = ManagerMachine(info(1), heartbeat_period=10.0, heartbeat_threshold=30.0)
    assert machine.start(0.0) == [StartWorker(0), registration(1, [], [])]


def test_a_task_waits_until_a_worker_is_up() -> None:
    machine = running(up=False)
    assert give(machine, 1) == []
    assert machine.worker_up(0, 0.0) == [Give(0, [wire(1)], [])]
    assert machine.worker_up(9, 0.0) == []


def test_tasks_of_unknown_length_are_given_one_by_one() -> None:
    machine = running(2)
    assert give(machine, 1, 2, 3) == [Give(0, [wire(1)], []), Give(1, [wire(2)], [])]
    machine.worker_ended_task(1, outcome(2), 1.0)
    assert machine.flush(1.0) == [
        Give(1, [wire(3)], []),
        SendOut(RESULTS, [1, 2, [outcome(2)]]),
    ]


def test_short_tasks_are_given_in_bundles_shared_among_workers() -> None:
    machine = bundling(2)
    assert give(machine, 1, 2, 3, 4) == [
        Give(0, [wire(1), wire(2)], []),
        Give(1, [wire(3), wire(4)], []),
    ]


def test_one_long_task_ends_the_bundles_at_once() -> None:
    machine = bundling()
    assert machine.capacity > 1
    give(machine, 1)
    machine.worker_ended_task(0, outcome(1, took=5.0), 5.0)
    assert machine.capacity == 1


def test_a_task_with_options_is_alone_with_its_worker() -> None:
    machine = bundling()
    timed = wire(1, None, {"walltime": 2.0})
    assert machine.frame(TASKS, 1, [timed, wire(2)], 0.0) == [Give(0, [timed], [])]
    machine.check()


def test_nothing_is_given_behind_a_task_with_options() -> None:
    machine = bundling(2)
    timed = wire(1, None, {"walltime": 2.0})
    machine.frame(TASKS, 1, [timed], 0.0)
    effects = give(machine, 2, 3, 4)
    assert effects == [Give(1, [wire(2), wire(3), wire(4)], [])]


def test_a_result_is_kept_and_sent_again_until_it_is_acknowledged() -> None:
    machine = running()
    give(machine, 1, 2)
    machine.worker_ended_task(0, outcome(1), 1.0)
    sent = SendOut(RESULTS, [1, 1, [outcome(1)]])
    assert machine.flush(1.0) == [Give(0, [wire(2)], []), sent]
    assert machine.reconnected(2.0) == [registration(1, [2], [1], 2)]
    assert machine.frame(WELCOME, 2, None, 2.0) == [sent]
    assert machine.frame(ACK, 1, 1, 2.0) == []  # of the old epoch
    assert machine.reconnected(3.0) == [registration(1, [2], [1], 3)]
    machine.frame(WELCOME, 3, None, 3.0)
    machine.frame(ACK, 3, 1, 3.0)
    assert machine.reconnected(4.0) == [registration(1, [2], [], 4)]


def test_results_gather_while_there_is_no_connection() -> None:
    machine = running()
    give(machine, 1)
    machine.reconnected(1.0)
    machine.worker_ended_task(0, outcome(1), 1.0)
    assert machine.flush(1.0) == []
    effects = machine.frame(WELCOME, 1, None, 2.0)
    assert effects == [SendOut(RESULTS, [1, 1, [outcome(1)]])]


def test_the_loss_of_a_worker_tells_the_started_task_from_those_merely_held() -> None:
    machine = bundling()
    give(machine, 1, 2, 3)
    assert machine.worker_died(0, "signal 9", 2, 4.0) == [StartWorker(1)]
    assert machine.worker_died(0, "signal 9", 2, 4.0) == []
    (sent,) = machine.flush(4.0)
    assert isinstance(sent, SendOut)
    ((attempt, code, _, _, _, facts),) = sent.body[2]
    assert (attempt, code) == (1, UNDONE)
    assert (facts["cause"], facts["started"]) == ("worker_lost", "yes")
    assert "signal 9" in facts["reason"]
    assert machine.worker_up(1, 5.0) == [Give(1, [wire(2), wire(3)], [])]


def test_unclaimed_tasks_behind_a_long_one_are_taken_back_for_a_dry_worker() -> None:
    machine = bundling(2)
    give(machine, 1, 2, 3, 4)
    for attempt in (3, 4):
        machine.worker_ended_task(1, outcome(attempt, took=0.0), 0.001)
    machine.flush(0.001)
    deadline = machine.next_deadline(0.001)
    assert deadline < 0.1
    assert machine.time_passed(deadline) == [Recall(0)]
    assert machine.recalled(0, 1, deadline) == [Give(1, [wire(2)], [])]
    machine.worker_ended_task(0, outcome(1, took=0.0), deadline)
    # It may remember the task that is no longer its own.
    assert give(machine, 5, now=deadline) == []
    machine.worker_ended_task(1, outcome(2, took=0.0), deadline)
    assert machine.flush(deadline)[0] == Give(1, [wire(5)], [])
    machine.worker_ended_task(1, outcome(5, took=0.0), deadline)
    machine.worker_dry(0, deadline)
    assert give(machine, 6, 7, now=deadline) == [Give(0, [wire(6)], []), Give(1, [wire(7)], [])]


def test_it_yields_the_last_of_what_waits_and_answers_even_if_nothing_does() -> None:
    machine = running()
    give(machine, 1, 2, 3, 4)
    assert machine.frame(YIELD, 1, 2, 0.0) == [SendOut(RETURNED, [3, 4])]
    assert machine.frame(YIELD, 1, 5, 0.0) == [SendOut(RETURNED, [2])]
    assert machine.frame(YIELD, 1, 5, 0.0) == [SendOut(RETURNED, [])]
    machine.worker_ended_task(0, outcome(1), 1.0)
    assert give(machine, 5, now=1.0) == [Give(0, [wire(5)], [])]


def test_it_yields_what_is_behind_a_long_task_and_no_more_than_is_wanted() -> None:
    machine = bundling()
    give(machine, 1, 2, 3, 4)
    assert machine.frame(YIELD, 1, 2, 0.001) == [SendOut(RETURNED, [])]
    assert machine.frame(YIELD, 1, 2, 1.0) == [SendOut(RETURNED, []), Recall(0)]
    assert machine.frame(YIELD, 1, 2, 1.0) == [SendOut(RETURNED, [])]
    assert machine.recalled(0, 3, 1.0) == [SendOut(RETURNED, [3, 4])]
    machine.worker_ended_task(0, outcome(1), 2.0)
    machine.worker_dry(0, 2.0)
    assert machine.flush(2.0)[0] == Give(0, [wire(2)], [])


def test_what_is_wanted_back_is_taken_back_when_the_task_before_it_turns_out_to_be_long() -> None:
    """Nobody asks twice: else it would wait for that task while workers elsewhere are idle."""
    machine = bundling()
    give(machine, 1, 2, 3)
    assert machine.frame(YIELD, 1, 5, 0.001) == [SendOut(RETURNED, [])]
    assert machine.next_deadline(0.001) == pytest.approx(0.005)
    assert machine.time_passed(0.0051) == [Recall(0)]
    assert machine.recalled(0, 2, 0.0051) == [SendOut(RETURNED, [2, 3])]


def test_what_was_wanted_back_is_not_any_more_once_new_tasks_come() -> None:
    machine = bundling()
    give(machine, 1)
    machine.frame(YIELD, 1, 5, 0.001)
    give(machine, 2, 3, now=0.002)
    assert machine.time_passed(1.0) == [SendOut(STARTED, [[1, 0.0]])]


def test_what_is_recalled_without_a_connection_is_not_yielded() -> None:
    machine = bundling()
    give(machine, 1, 2)
    machine.frame(YIELD, 1, 2, 1.0)
    machine.reconnected(1.0)
    assert machine.recalled(0, 1, 1.0) == []
    assert machine.frame(WELCOME, 1, None, 1.0) == []
    machine.worker_ended_task(0, outcome(1), 2.0)
    machine.worker_dry(0, 2.0)
    assert machine.flush(2.0)[0] == Give(0, [wire(2)], [])


def test_five_hundred_workers_cost_no_more_work_for_a_task_than_five() -> None:
    def steps(workers: int) -> int:
        machine = bundling(workers)
        give(machine, *range(5 * workers))
        held = {worker.number: [*worker.held] for worker in machine._workers}
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            for turn in range(20):
                attempt = held[turn % 5].pop(0)
                machine.worker_ended_task(turn % 5, outcome(attempt, took=0.0), 0.001)
                machine.flush(0.001)
                machine.next_deadline(0.001)
                give(machine, 10**6 + turn, now=0.001)
        finally:
            sys.setprofile(None)
        return calls

    assert steps(500) <= 1.5 * steps(5)


def test_a_crash_loop_gives_back_what_waits_and_leaves() -> None:
    machine = running()
    give(machine, 1)
    effects: list[ManagerEffect] = []
    for number in range(11):
        machine.worker_up(number, 0.0)
        effects = machine.worker_died(number, "exit 1", 1, 0.0)
    sent, returned, goodbye, leave = effects
    assert sent == SendOut(RESULTS, [1, 0, []])
    assert returned == SendOut(RETURNED, [1])
    assert isinstance(goodbye, SendOut)
    assert isinstance(leave, LeaveNode)
    assert goodbye.kind == GOODBYE
    assert "11 workers in a row died before they began a task" in leave.reason


def test_tasks_that_kill_their_workers_are_no_crash_loop() -> None:
    machine = running()
    for number in range(30):
        machine.worker_up(number, 0.0)
        give(machine, number)
        effects = machine.worker_died(number, "signal 11", 0, 0.0)
        assert StartWorker(number + 1) in effects
    # Nor is it one if the first worker of all that die has run tasks.
    machine.worker_up(30, 0.0)
    give(machine, 100)
    machine.worker_ended_task(30, outcome(100), 1.0)
    assert StartWorker(31) in machine.worker_died(30, "signal 9", 0, 1.0)
    assert machine.leaving is None


def test_a_clock_that_was_set_back_makes_no_task_shorter_than_nothing() -> None:
    machine = running()
    give(machine, 1)
    machine.worker_ended_task(0, outcome(1, took=-3600.0), 1.0)
    machine.flush(1.0)
    give(machine, 2)
    machine.worker_ended_task(0, outcome(2, took=1.0), 2.0)
    assert machine.capacity == 1


def test_leaving_sends_what_has_ended_and_says_that_there_is_no_room() -> None:
    machine = running()
    give(machine, 1, 2)
    machine.worker_ended_task(0, outcome(1), 1.0)
    assert machine.stop("enough", 1.0) == [
        SendOut(RESULTS, [1, 0, [outcome(1)]]),
        SendOut(RETURNED, [2]),
        SendOut(GOODBYE, ["enough", []]),
        LeaveNode("enough", True),
    ]
    assert machine.stop("enough", 1.0) == []


def test_leaving_with_its_workers_dead_tells_what_they_had_begun_from_what_they_held() -> None:
    machine = bundling()
    give(machine, 1, 2, 3)
    assert machine.stop("told to end", 1.0, {0: 2}, "block_ended") == [
        SendOut(
            RESULTS,
            [
                2,
                0,
                [
                    [
                        1,
                        UNDONE,
                        [],
                        0.0,
                        1.0,
                        {
                            "cause": "block_ended",
                            "reason": "told to end",
                            "started": "yes",
                            "worker": "0",
                        },
                    ]
                ],
            ],
        ),
        SendOut(RETURNED, [2, 3]),
        SendOut(GOODBYE, ["told to end", []]),
        LeaveNode("told to end", True),
    ]


@pytest.mark.parametrize("kind", [REFUSE, STOP])
def test_a_refusal_or_a_stop_ends_it_without_a_word(kind: int) -> None:
    assert running().frame(kind, 1, "why", 0.0) == [LeaveNode("why", False)]


def test_it_gives_itself_up_when_it_has_heard_nothing_for_the_threshold() -> None:
    machine = running()
    assert machine.next_deadline(0.0) == 10.0
    assert machine.time_passed(10.0) == [SendOut(HEARTBEAT, 10.0)]
    machine.frame(HEARTBEAT, 1, 10.0, 20.0)
    assert machine.time_passed(39.0) == [SendOut(HEARTBEAT, 39.0)]
    assert machine.next_deadline(39.0) == 40.0
    (leave,) = machine.time_passed(40.0)
    assert isinstance(leave, LeaveNode)
    assert not leave.orderly


def test_its_lease_counts_from_when_it_said_what_was_answered_and_from_nothing_else() -> None:
    machine = running()
    machine.reconnected(5.0)
    machine.frame(WELCOME, 2, None, 9.0)
    assert machine.lease_ends == 35.0
    machine.frame(TASKS, 2, [wire(1)], 20.0)
    machine.frame(HEARTBEAT, 2, None, 20.0)
    machine.frame(HEARTBEAT, 2, 4.0, 20.0)
    assert machine.lease_ends == 35.0
    machine.frame(HEARTBEAT, 2, 8.0, 20.0)
    assert machine.lease_ends == 38.0


def test_after_its_lease_it_starts_nothing_whatever_has_waited_for_it() -> None:
    (leave,) = give(running(), 1, now=30.0)
    assert isinstance(leave, LeaveNode)
    (late,) = running().reconnected(30.0)
    assert isinstance(late, LeaveNode)


def test_while_it_is_not_connected_it_asks_to_be_woken_for_the_end_of_its_lease_only() -> None:
    machine = running()
    machine.reconnected(5.0)
    assert machine.next_deadline(25.0) == 30.0


def test_a_task_says_that_it_started_only_when_it_is_not_short_and_only_once() -> None:
    machine = running()
    give(machine, 1, now=1.0)
    assert machine.next_deadline(1.0) == pytest.approx(1.1)
    assert machine.time_passed(1.05) == []
    assert machine.time_passed(1.2) == [SendOut(STARTED, [[1, 1.0]])]
    assert machine.time_passed(1.3) == []


def test_that_a_task_started_is_said_later_if_nobody_could_hear_it() -> None:
    machine = running()
    give(machine, 1)
    machine.reconnected(0.05)
    assert machine.time_passed(0.2) == []
    assert machine.next_deadline(0.2) > 0.2
    machine.frame(WELCOME, 2, None, 0.3)
    assert machine.next_deadline(0.3) <= 0.3
    assert machine.time_passed(0.3) == [SendOut(STARTED, [[1, 0.0]])]


def test_a_task_over_its_walltime_is_killed_and_says_so() -> None:
    machine = running()
    machine.frame(TASKS, 1, [wire(1, None, {"walltime": 0.05})], 0.0)
    assert machine.next_deadline(0.0) == pytest.approx(0.05)
    assert machine.time_passed(0.06) == [KillWorker(0)]
    assert machine.worker_died(0, "signal 9", 0, 0.06) == [StartWorker(1)]
    (sent,) = machine.flush(0.06)
    assert isinstance(sent, SendOut)
    assert sent.body[2][0][5]["cause"] == "task_walltime"


def limited(limit: int = 100) -> ManagerMachine:
    machine = running()
    machine.frame(TASKS, 1, [wire(1, None, {"memory_limit": limit})], 0.0)
    return machine


def test_a_task_with_a_memory_limit_is_looked_at_as_long_as_it_runs() -> None:
    machine = limited()
    assert machine.time_passed(0.2)[:-1] == []  # its start is told
    assert machine.next_deadline(0.2) == pytest.approx(0.25)
    assert machine.time_passed(0.25) == [Measure(0, 100)]
    assert machine.measured(0, 100, 0.25) == []
    assert machine.next_deadline(0.25) == pytest.approx(0.5)
    assert machine.time_passed(0.49) == []
    assert machine.time_passed(0.6) == [Measure(0, 100)]
    machine.worker_ended_task(0, outcome(1), 0.7)
    machine.flush(0.7)
    assert machine.time_passed(5.0) == []
    assert machine.measured(0, 101, 5.0) == []


def test_a_task_without_a_memory_limit_is_not_looked_at() -> None:
    machine = running()
    machine.frame(TASKS, 1, [wire(1, None, {"walltime": 9.0})], 0.0)
    assert [type(effect) for effect in machine.time_passed(5.0)] == [SendOut]
    assert machine.measured(0, 2**40, 5.0) == []


def test_a_task_over_its_memory_limit_is_killed_once_and_says_so() -> None:
    machine = limited()
    assert machine.measured(0, 101, 0.25) == [KillWorker(0)]
    assert machine.measured(0, 102, 0.25) == []
    assert Measure(0, 100) not in machine.time_passed(0.6)
    assert machine.worker_died(0, "signal 9", 0, 0.6) == [StartWorker(1)]
    (sent,) = machine.flush(0.6)
    assert isinstance(sent, SendOut)
    facts = sent.body[2][0][5]
    assert (facts["cause"], facts["started"]) == ("out_of_memory", "yes")
    assert (facts["peak"], facts["limit"], facts["measured"]) == (101, 100, "watchdog")
    assert "used 101 bytes at its peak; its limit is 100 bytes" in facts["reason"]


def test_what_a_task_used_does_not_matter_if_it_ended_first() -> None:
    machine = limited()
    assert machine.measured(0, 101, 0.25) == [KillWorker(0)]
    machine.worker_ended_task(0, outcome(1), 0.25)
    machine.worker_died(0, "signal 9", 0, 0.25)
    assert machine.flush(0.25) == [SendOut(RESULTS, [1, 1, [outcome(1)]])]


def test_nobody_is_measured_who_is_gone() -> None:
    assert limited().measured(7, 101, 0.25) == []


def test_cancelling_gives_back_what_waits_and_kills_what_runs_alone() -> None:
    machine = running()
    give(machine, 1, 2)
    assert machine.frame(CANCEL, 1, [1, 2], 0.0) == [KillWorker(0), SendOut(RETURNED, [2])]
    assert machine.frame(CANCEL, 1, [1], 0.0) == []
    machine.worker_died(0, "signal 9", 0, 0.0)
    (sent,) = machine.flush(0.0)
    assert isinstance(sent, SendOut)
    assert sent.body[2][0][5]["cause"] == "cancelled"


def test_a_running_task_is_cancelled_only_after_those_behind_it_are_taken_back() -> None:
    machine = bundling()
    give(machine, 1, 2)
    assert machine.frame(CANCEL, 1, [1], 0.0) == [Recall(0)]
    assert machine.recalled(0, 1, 0.0) == [KillWorker(0)]
    assert machine.worker_died(0, "signal 9", 0, 0.0) == [StartWorker(1)]
    assert machine.worker_up(1, 0.0) == [Give(1, [wire(2)], [])]


def test_a_cancelled_task_behind_another_is_given_back_and_does_not_run() -> None:
    """It was taken for a short one, and may be anything."""
    machine = bundling()
    give(machine, 1, 2, 3)
    assert machine.frame(CANCEL, 1, [2], 0.0) == [Recall(0)]
    assert machine.recalled(0, 2, 0.0) == [SendOut(RETURNED, [2])]
    machine.worker_ended_task(0, outcome(1), 1.0)
    machine.worker_dry(0, 1.0)
    assert machine.flush(1.0)[0] == Give(0, [wire(3)], [])


def test_a_cancelled_task_behind_another_is_killed_if_it_has_begun_meanwhile() -> None:
    machine = bundling()
    give(machine, 1, 2, 3)
    machine.frame(CANCEL, 1, [2], 0.0)
    assert machine.recalled(0, 1, 0.0) == []
    assert machine.worker_ended_task(0, outcome(1), 1.0) == [KillWorker(0)]


def test_a_cancelled_task_that_had_not_begun_is_given_back_and_not_run_again() -> None:
    machine = bundling()
    give(machine, 1, 2)
    machine.frame(CANCEL, 1, [1], 0.0)
    assert machine.recalled(0, 2, 0.0) == [SendOut(RETURNED, [1])]
    lone = running()
    give(lone, 1)
    assert lone.frame(CANCEL, 1, [1], 0.0) == [KillWorker(0)]
    assert lone.worker_died(0, "signal 9", 1, 0.0) == [SendOut(RETURNED, [1]), StartWorker(1)]


def test_what_is_given_back_after_a_registration_that_names_it_waits_for_the_answer() -> None:
    machine = running()
    give(machine, 1)
    assert machine.frame(CANCEL, 1, [1], 0.0) == [KillWorker(0)]
    assert machine.reconnected(0.0) == [registration(1, [1], [], 2)]
    # Of the old epoch still, so a new interchange would drop it.
    assert machine.worker_died(0, "signal 9", 1, 0.0) == [StartWorker(1)]
    assert machine.frame(WELCOME, 2, None, 0.0) == [SendOut(RETURNED, [1])]
    assert machine.frame(WELCOME, 2, None, 0.0) == []


def test_what_was_given_back_is_not_named_by_the_next_registration() -> None:
    machine = running()
    give(machine, 1)
    machine.frame(CANCEL, 1, [1], 0.0)
    machine.reconnected(0.0)
    machine.worker_died(0, "signal 9", 1, 0.0)
    assert machine.reconnected(0.0) == [registration(1, [], [], 3)]
    assert machine.frame(WELCOME, 2, None, 0.0) == []


def test_nothing_is_remembered_of_a_cancelled_task_that_has_ended_or_was_given_back() -> None:
    for claims_left in (1, 2):
        machine = bundling()
        give(machine, 987_654, 987_655)
        assert machine.frame(CANCEL, 1, [987_654], 0.0) == [Recall(0)]
        if claims_left == 1:
            machine.worker_ended_task(0, outcome(987_654), 0.0)
            machine.flush(0.0)
            machine.frame(ACK, 1, 2, 0.0)
        machine.recalled(0, claims_left, 0.0)
        assert "987654" not in repr(machine)
        assert "987655" in repr(machine)


def test_a_task_waits_for_the_form_of_its_function_and_may_be_cancelled_meanwhile() -> None:
    machine = running()
    tasks = [wire(1, b"d"), wire(2, b"d")]
    assert machine.frame(TASKS, 1, tasks, 0.0) == [SendOut(NEED, [b"d"])]
    assert machine.frame(CANCEL, 1, [1], 0.0) == [SendOut(RETURNED, [1])]
    effects = machine.frame(FORMS, 1, [[b"d", b"form"]], 0.0)
    assert effects == [Give(0, [wire(2, b"d")], [(b"d", b"form")])]
    assert machine.worker_needs(0, [b"d"], 0.0) == [Give(0, [], [(b"d", b"form")])]


def test_a_worker_gets_a_form_that_it_needs_even_if_it_is_not_here_any_more() -> None:
    machine = running()
    assert machine.worker_needs(0, [b"d"], 0.0) == [SendOut(NEED, [b"d"])]
    machine.reconnected(0.0)
    assert machine.frame(WELCOME, 2, None, 0.0) == [SendOut(NEED, [b"d"])]
    assert machine.frame(FORMS, 2, [[b"d", b"f"]], 0.0) == [Give(0, [], [(b"d", b"f")])]


class Worker:
    """A worker process as the shell sees it: claims that outlive it, and what it remembers."""

    def __init__(self) -> None:
        self.todo: list[int] = []
        self.claims = 0
        self.now_runs: int | None = None
        self.forms: set[bytes] = set()


class World:
    """An interchange and workers around the machine; it knows where each attempt is."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.machine = ManagerMachine(info(4), heartbeat_period=9e9, heartbeat_threshold=9e9)
        self.now = 0.0
        self.next = 0
        self.crashes = 0
        self.workers: dict[int, Worker] = {}
        self.connected = False
        self.queued: set[int] = set()  # at the manager, with no worker
        self.holder: dict[int, int] = {}
        self.ended: set[int] = set()  # sent or about to be, and not acknowledged
        self.batches: dict[int, list[int]] = {}
        self.digests: dict[int, bytes | None] = {}
        self.asked: set[bytes] = set()
        self.see(self.machine.start(self.now))

    def see(self, effects: list[ManagerEffect]) -> None:
        for effect in effects:
            match effect:
                case StartWorker(number):
                    self.workers[number] = Worker()
                case Give(number, tasks, forms):
                    self.take(number, [each[0] for each in tasks], dict(forms))
                case Recall(number):
                    worker = self.workers[number]
                    count, worker.claims = worker.claims, 0
                    self.unhold(number, count)
                    self.see(self.machine.recalled(number, count, self.now))
                case KillWorker(number):
                    self.dies(number)
                case SendOut(kind, body):
                    self.hear(kind, body)
                case LeaveNode(reason):
                    raise AssertionError(reason)

    def take(self, number: int, attempts: list[int], forms: dict[bytes, bytes]) -> None:
        worker = self.workers[number]
        worker.forms |= forms.keys()
        for attempt in attempts:
            assert attempt not in self.holder, "an attempt was given to two workers"
            self.queued.remove(attempt)
            self.holder[attempt] = number
            digest = self.digests[attempt]
            assert digest is None or digest in worker.forms
        worker.todo += attempts
        worker.claims += len(attempts)

    def unhold(self, number: int, count: int) -> None:
        """The last so many that it holds are the manager's again."""
        held = [attempt for attempt, each in self.holder.items() if each == number]
        for attempt in held[len(held) - count :]:
            del self.holder[attempt]
            self.queued.add(attempt)

    def hear(self, kind: int, body: Any) -> None:
        if kind == RETURNED:
            self.queued.difference_update(body)
            assert not self.holder.keys() & set(body), "what a worker has was given back"
        elif kind == RESULTS:
            number, capacity, batch = body
            attempts = [each[0] for each in batch]
            assert capacity >= 4
            assert set(attempts) <= self.ended
            assert self.batches.setdefault(number, attempts) == attempts
        elif kind == REGISTER:
            assert sorted(body["held"]) == sorted(self.queued | self.holder.keys())
            assert sorted(body["finished"]) == sorted(self.ended), "a result was not kept"
        elif kind == NEED:
            self.asked.update(body)

    def frame(self, kind: int, body: Any) -> None:
        self.see(self.machine.frame(kind, self.machine.epoch, body, self.now))

    def step(self) -> None:
        self.now += self.chance.random() * 0.01
        draw = self.chance.random()
        if draw < 0.02:
            self.connected = False
            self.see(self.machine.reconnected(self.now))
        elif draw < 0.1:
            self.see(self.machine.time_passed(self.now))
        elif draw < 0.4 and self.connected:
            self.interchange_acts()
        elif draw < 0.4:
            self.connected = True
            sent = set(self.batches)
            self.see(self.machine.frame(WELCOME, self.machine.epoch + 1, None, self.now))
            assert sent <= set(self.batches)
        elif draw < 0.5:
            self.see(self.machine.flush(self.now))
        else:
            self.worker_acts(self.chance.choice(sorted(self.workers)))

    def interchange_acts(self) -> None:
        draw = self.chance.random()
        alive = sorted(self.queued | self.holder.keys())
        if draw < 0.5:
            wires: list[Any] = []
            for _ in range(self.chance.randrange(6)):
                if len(alive) + len(wires) < 30:
                    self.next += 1
                    digest = self.chance.choice([None, None, b"a", b"b"])
                    options = {"walltime": 0.05} if self.chance.random() < 0.1 else None
                    self.digests[self.next] = digest
                    self.queued.add(self.next)
                    wires.append(wire(self.next, digest, options))
            self.frame(TASKS, wires)
        elif draw < 0.6 and alive:
            self.frame(CANCEL, [self.chance.choice(alive)])
        elif draw < 0.8 and self.batches:
            number = self.chance.choice(sorted(self.batches))
            self.ended.difference_update(self.batches.pop(number))
            self.frame(ACK, number)
        elif self.asked:
            forms = [[digest, b"form"] for digest in sorted(self.asked)]
            self.asked.clear()
            self.frame(FORMS, forms)

    def worker_acts(self, number: int) -> None:
        worker = self.workers[number]
        draw = self.chance.random()
        if draw < 0.05:
            self.see(self.machine.worker_up(number, self.now))
        elif draw < 0.07 and self.crashes < 5:
            self.crashes += 1
            self.dies(number)
        elif worker.now_runs is not None:
            attempt, worker.now_runs = worker.now_runs, None
            del self.holder[attempt]
            self.ended.add(attempt)
            self.crashes = 0
            took = 0.01 if self.chance.random() < 0.02 else 0.00001
            self.see(self.machine.worker_ended_task(number, outcome(attempt, took), self.now))
        elif worker.claims:
            worker.claims -= 1
            worker.now_runs = worker.todo.pop(0)
            assert self.holder[worker.now_runs] == number, "a worker runs what is not its own"
        elif worker.todo:
            worker.todo.clear()
            self.see(self.machine.worker_dry(number, self.now))

    def dies(self, number: int) -> None:
        worker = self.workers.pop(number, None)
        if worker is None:
            return
        self.unhold(number, worker.claims)
        begun = [attempt for attempt, each in self.holder.items() if each == number]
        assert begun == ([] if worker.now_runs is None else [worker.now_runs])
        for attempt in begun:
            del self.holder[attempt]
            self.ended.add(attempt)
        self.see(self.machine.worker_died(number, "killed", worker.claims, self.now))


def test_in_a_random_walk_no_attempt_is_with_two_workers_and_results_are_kept() -> None:
    world = World(seed=3)
    for _ in range(100_000):
        world.step()
        world.machine.check()
        assert len(world.workers) == 4
    assert world.next > 5_000
    world.see(world.machine.reconnected(world.now))


def test_a_failed_initializer_goes_up_and_the_block_ends() -> None:
    machine = running(2, up=False)
    give(machine, 1)
    assert machine.worker_unfit(1, "ValueError: no", 0.0) == [
        SendOut(UNFIT, "ValueError: no"),
        SendOut(RESULTS, [1, 0, []]),
        SendOut(RETURNED, [1]),
        SendOut(GOODBYE, ["the initializer of a worker has failed: ValueError: no", []]),
        LeaveNode("the initializer of a worker has failed: ValueError: no", True),
    ]
    machine.check()


def test_an_initializer_that_fails_before_we_are_known_is_told_once_we_are() -> None:
    machine = ManagerMachine(info(1), heartbeat_period=10.0, heartbeat_threshold=30.0)
    machine.start(0.0)
    assert machine.worker_unfit(0, "ValueError: no", 0.0) == []
    assert machine.worker_died(0, "exit status 1", 0, 0.0) == []  # no other takes its place
    effects = machine.frame(WELCOME, 1, None, 0.0)
    assert effects[0] == SendOut(UNFIT, "ValueError: no")
    assert isinstance(effects[-1], LeaveNode)


def test_one_that_drains_gives_back_what_is_not_begun_and_ends_the_rest() -> None:
    machine = running()
    give(machine, 1, 2, 3)
    assert machine.frame(DRAIN, 1, "it was asked to", 1.0) == [
        SendOut(DRAINING, "it was asked to"),
        SendOut(RETURNED, [2, 3]),
    ]
    assert machine.frame(DRAIN, 1, "it was asked to", 1.0) == []
    assert give(machine, 4, now=1.0) == [SendOut(RETURNED, [4])]
    assert machine.flush(1.0) == []
    machine.worker_ended_task(0, outcome(1), 2.0)
    assert machine.flush(2.0) == [SendOut(RESULTS, [1, 0, [outcome(1)]])]
    assert machine.leaving is None
    machine.check()


def test_it_says_that_it_is_drained_once_all_is_acknowledged_and_leaves_when_that_is_known() -> (
    None
):
    machine = running()
    give(machine, 1)
    machine.drain("its time is over", 1.0)
    machine.worker_ended_task(0, outcome(1), 2.0)
    machine.flush(2.0)
    machine.frame(ACK, 1, 1, 3.0)
    assert machine.flush(3.0) == [SendOut(DRAINED, "its time is over")]
    assert machine.flush(3.0) == []
    (leave,) = machine.frame(REFUSE, 1, "this incarnation was given up", 4.0)
    assert leave == LeaveNode("it is drained: its time is over", orderly=True, drained=True)
    assert machine.flush(4.0) == []


def test_it_leaves_in_order_too_if_that_is_known_only_after_it_has_lost_its_connection() -> None:
    machine = running()
    machine.drain("its time is over", 0.0)
    machine.reconnected(1.0)
    (leave,) = machine.frame(REFUSE, 1, "this incarnation was given up", 1.0)
    assert isinstance(leave, LeaveNode)
    assert leave.drained


def test_one_that_drains_takes_back_what_stands_behind_a_running_task() -> None:
    machine = bundling()
    give(machine, 1, 2, 3)
    effects = machine.drain("it was asked to", 0.0)
    assert effects == [SendOut(DRAINING, "it was asked to"), Recall(0)]
    assert machine.recalled(0, 2, 0.0) == [SendOut(RETURNED, [2, 3])]
    machine.worker_ended_task(0, outcome(1), 1.0)
    assert machine.flush(1.0) == [SendOut(RESULTS, [2, 0, [outcome(1)]])]


def test_one_that_drains_says_so_to_every_interchange_and_replaces_no_worker() -> None:
    machine = running()
    give(machine, 1, 2)
    machine.reconnected(0.0)
    assert machine.drain("its time is over", 1.0) == []
    (register,) = machine.reconnected(1.0)
    assert isinstance(register, SendOut)
    assert register.body["draining"] is True
    assert register.body["capacity"] == 0
    assert register.body["held"] == [2, 1]
    assert machine.frame(WELCOME, 2, None, 2.0) == [SendOut(RETURNED, [2])]
    assert machine.worker_died(0, "signal 9", 0, 3.0) == []
    (results,) = machine.flush(3.0)
    assert isinstance(results, SendOut)
    machine.frame(ACK, 2, 1, 4.0)
    assert machine.flush(4.0) == [SendOut(DRAINED, "its time is over")]
    # Nobody has heard it, so it is said again.
    machine.reconnected(5.0)
    assert machine.frame(WELCOME, 3, None, 6.0) == [SendOut(DRAINED, "its time is over")]


def test_one_that_is_told_to_leave_while_it_drains_leaves() -> None:
    machine = running()
    give(machine, 1)
    machine.drain("it was asked to", 1.0)
    effects = machine.stop("the block was told to end", 2.0, {0: 0})
    assert effects[-1] == LeaveNode("the block was told to end", orderly=True)
    assert machine.drain("again", 3.0) == []


def test_it_drains_when_its_period_is_over() -> None:
    machine = ManagerMachine(
        info(1), heartbeat_period=10.0, heartbeat_threshold=30.0, drain_period=5.0
    )
    machine.start(0.0)
    machine.frame(WELCOME, 1, None, 0.0)
    assert machine.next_deadline(0.0) == 5.0
    assert machine.time_passed(4.9) == []
    why = "its drain_period of 5 s is over"
    assert machine.time_passed(5.0) == [SendOut(DRAINING, why), SendOut(DRAINED, why)]
    assert machine.next_deadline(5.0) == 10.0


def test_one_that_begins_to_drain_before_it_is_welcome_says_so_then() -> None:
    """Else it would be given tasks and give them back, again and again."""
    machine = running()
    give(machine, 1)
    machine.reconnected(1.0)
    assert machine.drain("its time is over", 1.1) == []
    assert machine.frame(WELCOME, 2, None, 1.2) == [SendOut(DRAINING, "its time is over")]


def test_it_drains_before_its_block_ends_and_says_when_that_is() -> None:
    machine = ManagerMachine(
        info(1),
        heartbeat_period=100.0,
        heartbeat_threshold=300.0,
        drain_period=95.0,
        block_ends=120.0,
    )
    (_, register) = machine.start(20.0)
    assert isinstance(register, SendOut)
    assert register.body["block_end"] == [100.0, 10.0]
    machine.frame(WELCOME, 1, None, 20.0)
    assert machine.next_deadline(20.0) == 110.0
    assert machine.time_passed(110.0)[0] == SendOut(DRAINING, "its block ends in 10 s")


SHARED = [b"s", b"it", True]


def test_what_is_shared_is_asked_for_once_whoever_needs_it() -> None:
    machine = running(3)
    assert machine.worker_needs(0, [b"s"], 0.0) == [SendOut(NEED, [b"s"])]
    assert machine.worker_needs(1, [b"s"], 0.0) == []
    machine.worker_died(0, "killed", 0, 0.0)
    assert machine.frame(FORMS, 1, [SHARED], 0.0) == [Give(1, [], [(b"s", b"it")])]
    assert machine.worker_needs(2, [b"s"], 0.0) == [Give(2, [], [(b"s", b"it")])]


def test_it_stays_until_it_is_dropped_and_workers_hear_of_that() -> None:
    machine = running(2)
    machine.worker_needs(0, [b"s"], 0.0)
    machine.frame(FORMS, 1, [SHARED], 0.0)
    assert machine.frame(DROP, 1, [b"s", b"x"], 0.0) == [DropForms(0, [b"s"])]
    assert machine.frame(DROP, 1, [b"s"], 0.0) == []
    assert machine.worker_needs(1, [b"s"], 0.0) == [SendOut(NEED, [b"s"])]


def test_a_worker_hears_that_nobody_has_what_it_needs() -> None:
    machine = running()
    machine.worker_needs(0, [b"s"], 0.0)
    assert machine.frame(FORMS, 1, [[b"s", None]], 0.0) == [Give(0, [], [(b"s", None)])]
    assert machine.worker_needs(0, [b"s"], 0.0) == [SendOut(NEED, [b"s"])]


def test_what_has_not_come_is_asked_for_again_on_the_next_connection() -> None:
    machine = running()
    machine.worker_needs(0, [b"s"], 0.0)
    machine.reconnected(1.0)
    assert machine.worker_needs(0, [b"t"], 1.0) == []
    assert machine.frame(WELCOME, 2, None, 1.0) == [SendOut(NEED, [b"s", b"t"])]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_it_holds_as_many_tasks_beyond_its_workers_as_it_is_told(prefetch: int) -> None:
    machine = ManagerMachine(
        info(2), heartbeat_period=10.0, heartbeat_threshold=30.0, prefetch=prefetch
    )
    assert machine.capacity == 2 + prefetch
    machine.start(0.0)
    machine.frame(WELCOME, 1, None, 0.0)
    machine.worker_up(0, 0.0)
    for took in (0.0, 100.0):
        give(machine, 1)
        machine.worker_ended_task(0, outcome(1, took), 0.0)
        assert machine.capacity == 2 + prefetch


def test_every_worker_is_watched_for_the_limit_of_all() -> None:
    machine = ManagerMachine(
        info(1), heartbeat_period=10.0, heartbeat_threshold=30.0, watched_limit=100
    )
    machine.start(0.0)
    machine.frame(WELCOME, 1, None, 0.0)
    machine.worker_up(0, 0.0)
    give(machine, 1)
    assert Measure(0, 100) in machine.time_passed(0.25)
    assert machine.measured(0, 100, 0.25) == []
    machine.worker_ended_task(0, outcome(1), 0.3)
    for number, own, limit in ((2, 50, 50), (3, 500, 100)):
        machine.frame(TASKS, 1, [wire(number, None, {"memory_limit": own})], 1.0)
        assert Measure(0, limit) in machine.time_passed(1.25 + number)
        machine.worker_ended_task(0, outcome(number), 1.25 + number)


def test_a_worker_that_the_kernel_killed_for_its_memory_says_so() -> None:
    machine = running()
    give(machine, 1)
    assert (machine.holds(0), machine.holds(7)) == (1, 0)
    assert machine.killed_by_kernel(7, 1, 1) == []
    assert machine.killed_by_kernel(0, 120, 100) == [KillWorker(0)]
    assert machine.killed_by_kernel(0, 130, 100) == []
    machine.worker_died(0, "killed by SIGKILL", 0, 1.0)
    *_, results = machine.flush(1.0)
    assert isinstance(results, SendOut)
    facts = results.body[2][0][5]
    assert (facts["cause"], facts["measured"]) == ("out_of_memory", "cgroup")
    assert (facts["peak"], facts["limit"], facts["started"]) == (120, 100, "yes")
