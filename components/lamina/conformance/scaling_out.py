"""The kit of ScalingStrategy."""

import itertools
from collections.abc import Iterator

import attrs

from lamina.conformance.clauses import Kit, clause, expect
from lamina.scaling import BlocksView, BlockView, ScalingStrategy

__all__ = ["SCALING_STRATEGY"]

SLOTS = 4
NOW = 1000.0


def _block(number: int, kind: str) -> BlockView:
    return BlockView(
        block=str(number),
        waiting=kind == "waiting",
        slots=0 if kind == "waiting" else SLOTS,
        busy=SLOTS if kind == "busy" else 0,
        idle_since={"idle": NOW - 500.0, "resting": NOW - 5.0}.get(kind),
    )


def _view(outstanding: int, kinds: tuple[str, ...]) -> BlocksView:
    return BlocksView(
        now=NOW,
        outstanding=outstanding,
        peak=outstanding,
        task_seconds=None,
        blocks=tuple(_block(number, kind) for number, kind in enumerate(kinds)),
        asked_at=0.0 if kinds else None,
        came=any(kind != "waiting" for kind in kinds),
        slots_per_block=SLOTS,
        init_blocks=1,
        min_blocks=0,
        max_blocks=8,
        parallelism=1.0,
        max_idletime=120.0,
    )


def _views() -> Iterator[BlocksView]:
    kinds = ("waiting", "busy", "idle", "resting")
    for count in range(4):
        for some in itertools.combinations_with_replacement(kinds, count):
            for outstanding in (0, 1, 5, 10**6):
                view = _view(outstanding, some)
                yield view
                yield attrs.evolve(view, parallelism=0.0, slots_per_block=0)
                yield attrs.evolve(view, task_seconds=0.01, peak=10**6, min_blocks=2)


@clause("scaling.number")
def _number(strategy: ScalingStrategy) -> None:
    """It answers with a whole number, 0 or more, whatever it sees."""
    for view in _views():
        target = strategy.target(view)
        expect(type(target) is int and target >= 0, else_say=f"{target!r} for {view}")


@clause("scaling.stateless")
def _stateless(strategy: ScalingStrategy) -> None:
    """The same sight gets the same answer, whatever was asked between."""
    first = [strategy.target(view) for view in _views()]
    again = [strategy.target(view) for view in reversed(list(_views()))]
    expect(first == again[::-1], else_say="another number the second time")


@clause("scaling.settles")
def _settles(strategy: ScalingStrategy) -> None:
    """While the work stays as it is, and all blocks come and work, the number does so too."""
    for outstanding in (1, 7, 40, 10**6):
        view = _view(outstanding, ())
        seen = []
        for _ in range(12):
            seen.append(max(view.min_blocks, min(view.max_blocks, strategy.target(view))))
            view = _view(outstanding, ("busy",) * seen[-1])
        expect(len(set(seen[8:])) == 1, else_say=f"{seen} blocks for {outstanding} tasks")


SCALING_STRATEGY = Kit("scaling", "ScalingStrategy", 1, (_number, _stateless, _settles))
