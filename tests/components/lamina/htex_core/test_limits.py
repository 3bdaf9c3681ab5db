import pytest

from lamina.htex_core import memory_limit
from lamina.htex_core.limits import (
    excess,
    facts_of_excess,
    killed_by_kernel,
    out_of_memory,
)

MIB = 2**20


@pytest.mark.parametrize(
    "options, limit", [(None, None), ({"walltime": 1.0}, None), ({"memory_limit": 0}, 0)]
)
def test_a_task_has_the_limit_that_its_options_say(
    options: dict[str, float] | None, limit: int | None
) -> None:
    assert memory_limit((1, None, (), options)) == limit


@pytest.mark.parametrize("used", [0, MIB])
def test_a_task_may_use_all_of_its_limit(used: int) -> None:
    assert excess(used, MIB) is None


def test_one_that_uses_more_is_told_both_figures_and_how_they_were_measured() -> None:
    said = "it used 300.5 MiB at its peak; its limit is 1000 bytes (measured by watching /proc)"
    assert excess(300 * MIB + MIB // 2, 1000) == said


def test_the_same_goes_along_in_numbers() -> None:
    assert facts_of_excess(7, 5) == {"peak": 7, "limit": 5, "measured": "watchdog"}


def test_a_kill_by_the_kernel_is_told_with_the_same_figures() -> None:
    facts = out_of_memory(2 * MIB, MIB, 3)
    assert facts == {
        "cause": "out_of_memory",
        "reason": "it used 2.0 MiB at its peak; its limit is 1.0 MiB "
        "(the kernel killed it, measured by the worker's cgroup)",
        "started": "yes",
        "worker": "3",
        "peak": 2 * MIB,
        "limit": MIB,
        "measured": "cgroup",
    }
    assert killed_by_kernel(2 * MIB, MIB) == facts["reason"]
