"""What the body of each kind of frame must look like, checked before any machine sees it.

A handler may then take a body apart without asking, and none ends half way: a body of another
shape is no frame of ours, whoever sent it. Only what our own hops look into is checked; kinds
and keys that nobody knows yet pass, for the machines ignore them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from lamina.htex_core.frames import (
    ACK,
    ADMIT,
    CANCEL,
    CREDIT,
    DRAIN,
    DRAINED,
    DRAINING,
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
    UNSENT,
    VALUE,
    YIELD,
    Large,
    ManagerInfo,
)
from lamina.vocabulary import Cause, HasStarted

__all__ = ["Sender", "well_formed"]

Sender: TypeAlias = Literal["client", "interchange", "manager"]
Check: TypeAlias = Callable[[Any], bool]

COUNT_LIMIT: Final = 2**24  # tasks that one manager, or all of them, may want to hold
DIGEST_SIZE: Final = 16  # bytes

_CAUSES = frozenset(cause.value for cause in Cause)
_LOSSES = frozenset({Cause.NODE_LOST.value, Cause.BLOCK_ENDED.value})
_STARTED = frozenset(word.value for word in HasStarted)
_NUMBERS = (float, int)  # by type(), so that True is none


def well_formed(kind: int, body: Any, sender: Sender | None) -> bool:
    """Whether this sender may say this; with None, whether any may."""
    if sender is not None:
        check = _SAYS[sender].get(kind)
        return check is None or check(body)
    checks = _ANYBODY.get(kind)
    return checks is None or any(check(body) for check in checks)


# The words of which bodies are made. Tasks and outcomes are many, so theirs are plain loops.


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= COUNT_LIMIT


def _text(value: Any) -> bool:
    return type(value) is str


def _number(value: Any) -> bool:
    return type(value) in _NUMBERS


def _texts(body: Any) -> bool:
    return type(body) is list and all(type(item) is str for item in body)


def _attempts(body: Any) -> bool:
    return type(body) is list and all(type(item) is int for item in body)


def _digests(body: Any) -> bool:
    return type(body) is list and all(
        type(item) is bytes and len(item) == DIGEST_SIZE for item in body
    )


def _info(value: Any) -> bool:
    if type(value) is not list or len(value) != len(ManagerInfo._fields):
        return False
    uid, block, host, boot, pid, slots, python, package = value
    texts = (uid, block, host, boot, python, package)
    return all(type(text) is str for text in texts) and _count(pid) and _count(slots)


# Down.


def _tasks(body: Any) -> bool:
    if type(body) is not list:
        return False
    for wire in body:
        if type(wire) is not list or len(wire) != 4:
            return False
        attempt, digest, buffers, options = wire
        if type(attempt) is not int or type(buffers) is not list:
            return False
        if digest is not None and (type(digest) is not bytes or len(digest) != DIGEST_SIZE):
            return False
        for buffer in buffers:
            if type(buffer) is not bytes and type(buffer) is not Large:
                return False
        if options is not None and not _options(options):
            return False
    return True


def _options(options: Any) -> bool:
    if type(options) is not dict:
        return False
    env = options.get("env", {})
    return (
        _number(options.get("walltime", 0))
        and type(options.get("memory_limit", 0)) is int
        and _amount(options.get("expected", 0))
        and _texts(options.get("avoid", []))
        and _text(options.get("runner", ""))
        and type(options.get("hints", {})) is dict
        and _wanted(options.get("resources", {}))
        and type(env) is dict
        and _texts([*env, *env.values()])
    )


def _wanted(wanted: Any) -> bool:
    if type(wanted) is not dict:
        return False
    extra = wanted.get("extra", {})
    return (
        all(name == "extra" or _amount(value) for name, value in wanted.items())
        and type(extra) is dict
        and all(_number(value) or _text(value) for value in extra.values())
    )


def _amount(value: Any) -> bool:
    return type(value) in _NUMBERS and 0 <= value < float("inf")


def _forms(body: Any) -> bool:
    return type(body) is list and all(
        type(pair) is list
        and len(pair) == 2
        and type(pair[0]) is bytes
        and len(pair[0]) == DIGEST_SIZE
        and type(pair[1]) is bytes
        for pair in body
    )


def _acks(body: Any) -> bool:
    return type(body) is list and all(
        type(pair) is list and len(pair) == 2 and type(pair[0]) is str and type(pair[1]) is int
        for pair in body
    )


def _ack(body: Any) -> bool:
    return type(body) is int


# Up.


def _outcomes(body: Any) -> bool:
    if type(body) is not list:
        return False
    for outcome in body:
        if type(outcome) is not list or len(outcome) != 6:
            return False
        attempt, code, buffers, began, ended, facts = outcome
        if type(attempt) is not int or type(buffers) is not list:
            return False
        if type(began) not in _NUMBERS or type(ended) not in _NUMBERS:
            return False
        for buffer in buffers:
            if type(buffer) is not bytes and type(buffer) is not Large:
                return False
        if not (type(code) is int and code == VALUE) and not _not_a_value(code, buffers, facts):
            return False
    return True


def _not_a_value(code: Any, buffers: list[bytes], facts: Any) -> bool:
    if type(code) is not int:
        return False
    if code in (RAISED, UNSENT):
        return bool(buffers)
    return code == UNDONE and _facts(facts)


def _facts(facts: Any) -> bool:
    if type(facts) is not dict:
        return False
    cause, started = facts.get("cause"), facts.get("started")
    return (
        type(cause) is str
        and cause in _CAUSES
        and type(started) is str
        and started in _STARTED
        and _text(facts.get("reason"))
        and _text(facts.get("worker", ""))
    )


def _goodbye(body: Any) -> bool:
    return type(body) is list and len(body) == 2 and _text(body[0]) and _attempts(body[1])


def _results(body: Any) -> bool:
    if type(body) is not list or len(body) != 3:
        return False
    number, capacity, outcomes = body
    return type(number) is int and _count(capacity) and _outcomes(outcomes)


def _results_of(body: Any) -> bool:
    if type(body) is not list or len(body) != 3:
        return False
    uid, number, outcomes = body
    return type(uid) is str and type(number) is int and _outcomes(outcomes)


def _marks(body: Any) -> bool:
    return type(body) is list and all(
        type(mark) is list and len(mark) == 2 and type(mark[0]) is int and _number(mark[1])
        for mark in body
    )


def _marks_of(body: Any) -> bool:
    return type(body) is list and len(body) == 2 and _text(body[0]) and _marks(body[1])


def _register(body: Any) -> bool:
    return (
        type(body) is dict
        and type(body.get("protocol")) is int
        and type(body.get("registration")) is int
        and _count(body.get("registration"))
        and _info(body.get("info"))
        and _count(body.get("capacity"))
        and _attempts(body.get("held"))
        and _attempts(body.get("finished"))
        and _offer(body.get("offer", {}))
        and type(body.get("draining", False)) is bool
        and _block_end(body.get("block_end", [0, 0]))
    )


def _block_end(body: Any) -> bool:
    return type(body) is list and len(body) == 2 and all(map(_number, body))


def _offer(offer: Any) -> bool:
    return type(offer) is dict and _texts([*offer]) and all(map(_amount, offer.values()))


def _joined(body: Any) -> bool:
    if type(body) is not list or len(body) != 3:
        return False
    info, held, finished = body
    return _info(info) and _attempts(held) and _attempts(finished)


def _lost(body: Any) -> bool:
    if type(body) is not list or len(body) != 4:
        return False
    uid, attempts, reason, cause = body
    right = type(cause) is str and cause in _LOSSES
    return right and _text(uid) and _attempts(attempts) and _text(reason)


def _loads(body: Any) -> bool:
    return type(body) is list and all(
        type(load) is list
        and len(load) == 3
        and type(load[0]) is str
        and _count(load[1])
        and type(load[2]) is bool
        for load in body
    )


def _left(body: Any) -> bool:
    return type(body) is list and len(body) == 2 and _text(body[0]) and _text(body[1])


def _ready(body: Any) -> bool:
    return type(body) is dict and _text(body.get("address"))


def _credit(body: Any) -> bool:
    return type(body) is int


_SAYS: Mapping[Sender, Mapping[int, Check]] = {
    "client": {
        TASKS: _tasks,
        FORMS: _forms,
        CANCEL: _attempts,
        ACK: _acks,
        ADMIT: _texts,
        FENCE: _texts,
        DRAIN: _texts,
        HOLD: _texts,
        STOP: _text,
    },
    "interchange": {
        # To the client.
        READY: _ready,
        CREDIT: _credit,
        JOINED: _joined,
        LOST: _lost,
        LOAD: _loads,
        LEFT: _left,
        RESULTS: _results_of,
        STARTED: _marks_of,
        NEED: _digests,
        RETURNED: _attempts,
        # To a manager.
        TASKS: _tasks,
        FORMS: _forms,
        CANCEL: _attempts,
        ACK: _ack,
        STOP: _text,
        REFUSE: _text,
        YIELD: _count,
        DRAIN: _text,
    },
    "manager": {
        REGISTER: _register,
        RESULTS: _results,
        STARTED: _marks,
        NEED: _digests,
        RETURNED: _attempts,
        GOODBYE: _goodbye,
        HEARTBEAT: _number,
        DRAINING: _text,
        DRAINED: _text,
    },
}
_ANYBODY: Mapping[int, tuple[Check, ...]] = {
    kind: tuple({says[kind]: None for says in _SAYS.values() if kind in says})
    for kind in {kind for says in _SAYS.values() for kind in says}
}
