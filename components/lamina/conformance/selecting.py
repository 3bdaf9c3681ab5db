"""The kit of ManagerSelector: it runs among managers that exist on paper only."""

from collections import Counter

from lamina.conformance.clauses import Kit, clause, expect
from lamina.htex_core import ManagerInfo, ManagerSelector, make_plugin, write_plugin

__all__ = ["MANAGER_SELECTOR"]

_MANAGERS = 12
_STEPS = 2_000
_STEP = 0.6180339887  # of the golden ratio: chances that come nowhere twice


def _arrive(selector: ManagerSelector, number: int) -> str:
    uid = f"m{number}"
    block, host = str(number // 3), f"n{number}"
    selector.came(ManagerInfo(uid, block, host, "boot", 100 + number, 4, "3.11", "htex"))
    return uid


@clause("selector.room")
def _room(selector: ManagerSelector) -> None:
    """It chooses a manager that has a free worker at that moment, however they come and go."""
    free = {_arrive(selector, number): 0 for number in range(_MANAGERS)}
    here = _MANAGERS
    for step in range(_STEPS):
        uid = list(free)[step * 7 % len(free)]
        if step % 50 == 49:
            selector.gone(uid)
            del free[uid]
            free[_arrive(selector, here)] = 0
            here += 1
        else:
            free[uid] = step * 11 % 5
            selector.changed(uid, free[uid])
        able = [name for name, count in free.items() if count]
        if len(able) > 1:
            chosen = selector.choose({}, step * _STEP % 1)
            expect(chosen in able, else_say=f"{chosen!r} at step {step}, which has no room")


@clause("selector.all")
def _all(selector: ManagerSelector) -> None:
    """Every free worker is used while there is work: none is passed over for ever."""
    free = {_arrive(selector, number): 1 + number % 4 for number in range(_MANAGERS)}
    for uid, count in free.items():
        selector.changed(uid, count)
    for step in range(sum(free.values())):
        if sum(map(bool, free.values())) < 2:
            break
        chosen = selector.choose({}, step * _STEP % 1)
        expect(free.get(chosen, 0) > 0, else_say=f"{chosen!r} again, whose workers are all taken")
        free[chosen] -= 1
        selector.changed(chosen, free[chosen])


@clause("selector.again")
def _again(selector: ManagerSelector) -> None:
    """What went away may come back, under its name and with other room."""
    first, second = _arrive(selector, 1), _arrive(selector, 2)
    for _ in range(3):
        selector.changed(first, 2)
        selector.changed(second, 1)
        expect(selector.choose({}, 0.5) in (first, second), else_say="another manager")
        selector.gone(first)
        selector.gone(first)
        expect(_arrive(selector, 1) == first)
        selector.changed(second, 0)


@clause("selector.hints")
def _hints(selector: ManagerSelector) -> None:
    """Hints that it does not know, and every chance of 0 or more below 1, are no trouble."""
    able = [_arrive(selector, number) for number in range(3)]
    for uid in able:
        selector.changed(uid, 4)
    chosen: Counter[str] = Counter()
    for hints in ({}, {"near": "n1"}, {"weight": 1.5, "n": 3}):
        for chance in (0.0, 0.25, 0.5, 0.75, 1 - 2**-53):
            chosen[selector.choose(hints, chance)] += 1
    expect(set(chosen) <= set(able), else_say=f"{chosen} among {able}")


@clause("selector.travels")
def _travels(selector: ManagerSelector) -> None:
    """It can be written as the place of its class and options, and made again from these."""
    written = write_plugin(selector, "the selector")
    again = make_plugin(written)
    expect(type(again) is type(selector), else_say=f"{again!r}")
    expect(write_plugin(again, "the selector") == written, else_say="other options")


MANAGER_SELECTOR = Kit(
    "manager_selector", "ManagerSelector", 1, (_room, _all, _again, _hints, _travels)
)
