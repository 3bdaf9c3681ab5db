import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from lamina.executors import Outcome, Site
from lamina.executors_htex.guard import Guard, guard_of
from lamina.executors_htex.settings import Settings
from lamina.htex_core import ManagerCame, ManagerInfo, ManagerWent
from lamina.providers import LocalProvider
from lamina.scaling import FailingBlocks, Quarantine, Simple
from lamina.vocabulary import AttemptId, Cause, Event, Failure, UsageError


class Shell:
    """Three managers on three nodes, and what the guard does to them."""

    def __init__(self, folder: Path, nodes: int = 1, **rules: Any) -> None:
        self.drained: list[str] = []
        self.held: list[str] = []
        self.events: list[Event] = []
        self.clock = 0.0
        settings = Settings(
            label="htex",
            provider=LocalProvider(nodes_per_block=nodes),
            strategy=Simple(),
            block_error_policy=FailingBlocks(),
            codec_name="pickle",
            quarantine=Quarantine(**rules),
        )
        made = guard_of(
            settings,
            Site(run_dir=folder, emit=self.events.extend),
            drain=self.drain,
            hold=self.held.append,
            unhold=self.held.remove,
        )
        assert made is not None
        self.guard: Guard = made
        self.managers = [info(f"m{n}", f"n{n}", str(n)) for n in range(3)]
        for manager in self.managers:
            self.guard.hear(ManagerCame(manager))

    def drain(self, managers: Collection[str]) -> None:
        self.drained += managers

    def end(self, manager: int, cause: Cause | None = None, app: str = "fetch") -> None:
        failure = None if cause is None else Failure(cause=cause, error=ValueError("no"))
        self.guard.ended(self.managers[manager], app, Outcome(AttemptId(1), None, failure))

    def fail_there(
        self, manager: int = 0, cause: Cause = Cause.APPLICATION, times: int = 20
    ) -> None:
        """All that is run on a manager fails, and all succeeds on another."""
        for _ in range(times):
            self.end(manager, cause)
            if self.guard.awake:
                self.end(2)


def info(uid: str, host: str, block: str) -> ManagerInfo:
    return ManagerInfo(uid, block, host, "boot", 1, 2, "3.11", "htex")


def test_a_bad_node_is_emptied_and_everybody_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shell = Shell(tmp_path)
    with caplog.at_level(logging.WARNING):
        shell.fail_there()
    assert shell.drained == ["m0"]
    (one,) = shell.guard.quarantined()
    assert (one.node, one.block, one.manager) == ("n0", "0", "m0")
    assert "'fetch' failed there" in one.reason
    (event,) = shell.events
    assert event.kind == "node.quarantined"
    assert event.facts["node"] == "n0"
    assert event.facts["executor"] == "htex"
    assert event.facts["failed"] == event.facts["ran"] >= 5
    (record,) = caplog.records
    for part in ("executor 'htex'", "node n0", "0 of ", "lift_quarantine('n0')", "quarantine=None"):
        assert part in record.getMessage()


@pytest.mark.parametrize("cause", [Cause.NODE_LOST, Cause.BLOCK_ENDED, Cause.CANCELLED])
def test_what_no_node_is_to_blame_for_is_not_counted(tmp_path: Path, cause: Cause) -> None:
    shell = Shell(tmp_path)
    shell.fail_there(cause=cause)
    assert not shell.guard.awake
    assert shell.drained == []


@pytest.mark.parametrize("cause", [Cause.WORKER_LOST, Cause.SERIALIZATION, Cause.STAGING])
def test_all_else_is(tmp_path: Path, cause: Cause) -> None:
    shell = Shell(tmp_path)
    shell.fail_there(cause=cause)
    assert shell.drained == ["m0"]


def test_a_node_that_comes_again_is_kept_idle_so_that_it_is_not_given_to_us_once_more(
    tmp_path: Path,
) -> None:
    shell = Shell(tmp_path)
    shell.fail_there()
    shell.guard.hear(ManagerWent(shell.managers[0], "it was drained"))
    shell.guard.hear(ManagerCame(info("m9", "n0", "9")))
    assert shell.held == ["9"]
    assert shell.drained == ["m0"]
    assert [one.manager for one in shell.guard.quarantined()] == ["m0", "m9"]
    assert "has come again" in shell.events[-1].facts["reason"]
    shell.guard.lift("n0")
    assert shell.held == []
    assert shell.guard.quarantined() == []
    assert shell.events[-1].kind == "node.lifted"


def test_one_node_of_several_in_a_block_leaves_alone(tmp_path: Path) -> None:
    shell = Shell(tmp_path, nodes=4)
    shell.fail_there()
    shell.guard.hear(ManagerWent(shell.managers[0], "it was drained"))
    shell.guard.hear(ManagerCame(info("m9", "n0", "9")))
    assert shell.held == []
    assert shell.drained == ["m0", "m9"]


def test_beyond_the_limit_it_only_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shell = Shell(tmp_path, limit=1)
    shell.fail_there(0)
    shell.guard.hear(ManagerWent(shell.managers[0], "it was drained"))
    shell.fail_there(1)
    assert shell.drained == ["m0"]
    assert [event.kind for event in shell.events] == ["node.quarantined", "node.suspect"]
    assert "limit=1 allows no more" in caplog.text


def test_a_node_that_was_not_set_aside_cannot_be_lifted(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.fail_there()
    with pytest.raises(UsageError, match="'n7' aside; it has: n0"):
        shell.guard.lift("n7")


@pytest.mark.parametrize("rules", [None, Quarantine(limit=0)])
def test_there_may_be_no_guard(tmp_path: Path, rules: Quarantine | None) -> None:
    settings = Settings(
        label="htex",
        provider=LocalProvider(),
        strategy=Simple(),
        block_error_policy=FailingBlocks(),
        codec_name="pickle",
        quarantine=rules,
    )
    site = Site(run_dir=tmp_path)
    assert guard_of(settings, site, drain=print, hold=print, unhold=print) is None


def test_how_long_a_task_took_says_when_it_began(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    old = Outcome(AttemptId(1), None, None, began=0.0, ended=1e9)
    for _ in range(50):
        shell.end(0, Cause.APPLICATION)
        shell.guard.ended(shell.managers[2], "fetch", old)
    assert shell.drained == [], "all that succeeded elsewhere had begun before"
