from collections.abc import Sequence
from typing import Any

import pytest

from lamina.htex_core import (
    ClientMachine,
    InterchangeMachine,
    ManagerInfo,
    ManagerMachine,
    SendOut,
    SendUp,
    ToClient,
    ToManager,
    pack,
    shapes,
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
    RAISED,
    READY,
    REFUSE,
    REGISTER,
    RESULTS,
    RETURNED,
    STARTED,
    STOP,
    TASKS,
    UNDONE,
    UNFIT,
    UNSENT,
    VALUE,
    WELCOME,
    YIELD,
)
from lamina.htex_core.shapes import Sender, well_formed

INFO = ["u", "0", "host", "boot", 7, 2, "3.11", "htex-1"]
DIGEST = bytes(16)
FACTS = {"cause": "worker_lost", "reason": "it died", "started": "yes", "worker": "1"}
OPTIONS = {
    "walltime": 1.5,
    "env": {"A": "b"},
    "runner": "module:name",
    "new": [1],
    "memory_limit": 9,
    "expected": 2.5,
    "avoid": ["n1"],
}
WANTED = {"cores": 0.5, "memory": 2**40, "extra": {"licences": 1, "launcher_options": "-v"}}
REGISTERED = {
    "protocol": 1,
    "registration": 1,
    "info": INFO,
    "capacity": 2,
    "held": [1],
    "finished": [2],
    "offer": {"cores": 4, "memory": 1.5},
}

SAID: list[tuple[Sender, int, Any]] = [
    ("client", TASKS, [[1, None, [b"x"], None], [2, DIGEST, [], OPTIONS]]),
    ("client", TASKS, [[1, None, [], {"resources": WANTED}]]),
    ("client", FORMS, [[DIGEST, b"form"]]),
    ("client", CANCEL, [1, 2]),
    ("client", ACK, [["u", 1]]),
    ("client", ADMIT, ["u"]),
    ("client", FENCE, ["u"]),
    ("client", DRAIN, ["u"]),
    ("client", HOLD, ["0"]),
    ("client", STOP, "done"),
    ("interchange", READY, {"address": "tcp://127.0.0.1:1"}),
    ("interchange", CREDIT, 18),
    ("interchange", JOINED, [INFO, [1], []]),
    ("interchange", LOST, ["u", [1], "silent", "node_lost"]),
    ("interchange", RESULTS, ["u", 1, [[1, VALUE, [], 1.0, 2, None]]]),
    ("interchange", STARTED, ["u", [[1, 2.0]]]),
    ("interchange", ACK, 4),
    ("interchange", REFUSE, "too late"),
    ("interchange", YIELD, 3),
    ("interchange", LOAD, [["u", 1, True]]),
    ("interchange", LEFT, ["u", "it was asked to"]),
    ("interchange", DRAIN, "it was asked to"),
    ("interchange", NEED, [DIGEST]),
    ("interchange", RETURNED, [5]),
    ("interchange", UNFIT, ["u", "no licence"]),
    ("interchange", TASKS, [[7, None, [b"x"], None], [8, DIGEST, [], OPTIONS]]),
    ("interchange", FORMS, [[DIGEST, b"form"], [DIGEST, b"object", True], [DIGEST, None]]),
    ("interchange", CANCEL, [5, 6]),
    ("interchange", DROP, [DIGEST]),
    ("interchange", STOP, "done"),
    ("interchange", HEARTBEAT, 1.5),
    ("client", DROP, [DIGEST]),
    ("manager", UNFIT, "no licence"),
    ("manager", REGISTER, REGISTERED),
    ("manager", RESULTS, [1, 0, [[1, RAISED, [b"x"], 1.0, 2.0, None]]]),
    ("manager", RESULTS, [1, 64, [[1, UNSENT, [b"x"], 1.0, 2.0, None]]]),
    ("manager", RESULTS, [1, 64, [[1, UNDONE, [], 1.0, 2.0, FACTS]]]),
    ("manager", STARTED, [[1, 2.0]]),
    ("manager", NEED, [DIGEST]),
    ("manager", RETURNED, [1]),
    ("manager", GOODBYE, ["walltime", [7]]),
    ("manager", HEARTBEAT, 12.5),
    ("manager", DRAINING, "its time is over"),
    ("manager", DRAINED, "its time is over"),
    ("manager", REGISTER, {**REGISTERED, "draining": True, "block_end": [60.0, 6]}),
]


@pytest.mark.parametrize("sender, kind, body", SAID)
def test_what_our_own_processes_say_is_well_formed(sender: Sender, kind: int, body: Any) -> None:
    assert well_formed(kind, body, sender)
    assert well_formed(kind, body, None)


def _elsewise(value: Any) -> list[Any]:
    """The value with one thing in it of another type, each in turn."""
    strangers: list[Any] = [None, True, "x", b"x", 1.5, -1, 2**63, [], {}, [[]], [None]]
    if isinstance(value, list):
        inner = [
            [*value[:at], other, *value[at + 1 :]]
            for at, item in enumerate(value)
            for other in _elsewise(item)
        ]
        return [*strangers, *inner, [*value, None], value[:-1]]
    if isinstance(value, dict):
        return strangers + [
            {**value, key: other} for key, item in value.items() for other in _elsewise(item)
        ]
    return strangers


def _interchange() -> InterchangeMachine:
    made = InterchangeMachine(
        epoch=1,
        python="3.11",
        package="htex-1",
        heartbeat_period=30.0,
        heartbeat_threshold=120.0,
    )
    made.manager_frame(b"route", REGISTER, 0, REGISTERED, 0.0)
    made.client_frame(ADMIT, ["u"], 0.0)
    made.client_frame(TASKS, [[5, None, [b"x"], None], [6, DIGEST, [b"x"], None]], 0.0)
    return made


def _manager() -> ManagerMachine:
    made = ManagerMachine(ManagerInfo(*INFO), heartbeat_period=30.0, heartbeat_threshold=120.0)
    made.start(0.0)
    made.frame(WELCOME, 1, None, 0.0)
    made.worker_up(0, 0.0)
    made.frame(TASKS, 1, [[5, None, [b"x"], None], [6, DIGEST, [b"x"], None]], 0.0)
    return made


def _client() -> ClientMachine:
    made = ClientMachine(patience=120.0)
    made.start(0.0)
    made.submitted([([5, None, [b"x"], None], 0.0, None)])
    made.frame(READY, 1, {"address": "tcp://127.0.0.1:1"}, 0.0)
    made.frame(CREDIT, 1, 16, 0.0)
    made.frame(JOINED, 1, [INFO, [], []], 0.0)
    return made


@pytest.mark.parametrize("sender, kind, body", SAID)
def test_no_machine_ends_half_way_in_what_is_well_formed(
    sender: Sender, kind: int, body: Any
) -> None:
    """Each part of a body is exchanged for something else; what passes is taken, or ignored."""
    refused = int(kind == HEARTBEAT and sender == "interchange")  # which may be anything
    for other in _elsewise(body):
        if not well_formed(kind, other, sender):
            refused += 1
        elif sender == "manager":
            interchange = _interchange()
            effects = interchange.manager_frame(b"route", kind, 1, other, 1.0)
            _can_be_sent(effects)
        elif sender == "client":
            _can_be_sent(_interchange().client_frame(kind, other, 1.0))
        else:
            manager, client = _manager(), _client()
            _can_be_sent([*manager.frame(kind, 1, other, 1.0), *client.frame(kind, 1, other, 1.0)])
            manager.check()
            client.check()
    assert refused


def test_every_kind_that_is_checked_is_tried() -> None:
    checked = {(sender, kind) for sender, says in shapes._SAYS.items() for kind in says}
    assert checked - {(sender, kind) for sender, kind, _ in SAID} == set()


def _can_be_sent(effects: Sequence[Any]) -> None:
    for effect in effects:
        if isinstance(effect, ToClient | ToManager | SendOut | SendUp):
            assert pack(effect.kind, 1, effect.body)


@pytest.mark.parametrize(
    "sender, kind, body",
    [
        ("manager", RESULTS, [1, 2**64, []]),
        ("manager", RESULTS, [1, -1, []]),
        ("manager", RESULTS, ["u", 1, []]),
        ("manager", RESULTS, [1, 1, [[1, 7, [b"x"], 1.0, 2.0, None]]]),
        ("manager", RESULTS, [1, 1, [[1, RAISED, [], 1.0, 2.0, None]]]),
        ("manager", RESULTS, [1, 1, [[1, UNDONE, [], 1.0, 2.0, {**FACTS, "cause": "odd"}]]]),
        ("manager", REGISTER, {key: REGISTERED[key] for key in ("protocol", "info", "capacity")}),
        ("manager", NEED, [b"short"]),
        ("client", TASKS, [[1, None, [b"x"], {"walltime": "long"}]]),
        ("client", TASKS, [[1, None, [b"x"], {"env": {"A": 1}}]]),
        ("client", TASKS, [[1, None, [b"x"], {"resources": {"cores": -1}}]]),
        ("client", TASKS, [[1, None, [b"x"], {"resources": {"cores": float("nan")}}]]),
        ("client", TASKS, [[1, None, [b"x"], {"resources": {"cores": float("inf")}}]]),
        ("client", TASKS, [[1, None, [b"x"], {"resources": {"extra": {"a": []}}}]]),
        ("client", TASKS, [[1, None, [b"x"], {"resources": [1]}]]),
        ("manager", REGISTER, {**REGISTERED, "offer": {"cores": "many"}}),
        ("manager", REGISTER, {**REGISTERED, "offer": 3}),
        ("manager", REGISTER, {**REGISTERED, "block_end": [1.0]}),
        ("interchange", LOST, ["u", [1], "silent", "closed"]),
        ("client", TASKS, [[1, None, [b"x"], {"memory_limit": 1.5}]]),
        ("client", TASKS, [[1, None, [b"x"], {"expected": float("nan")}]]),
        ("client", TASKS, [[1, None, [b"x"], {"avoid": "n1"}]]),
        ("interchange", RESULTS, [1, 1, []]),
    ],
)
def test_what_a_handler_could_not_take_apart_is_refused(
    sender: Sender, kind: int, body: Any
) -> None:
    assert not well_formed(kind, body, sender)


def test_kinds_that_nobody_knows_pass() -> None:
    assert well_formed(99, object(), "manager")
    assert well_formed(99, object(), None)
