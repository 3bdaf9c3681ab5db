"""The end of a block."""

import pytest

from lamina.htex_core.endings import BlockEnd, block_margin


@pytest.mark.parametrize(
    "left, before", [(0.0, 0.0), (-5.0, 0.0), (20.0, 2.0), (600.0, 60.0), (86400.0, 60.0)]
)
def test_a_manager_drains_for_a_tenth_of_its_time_and_a_minute_at_most(
    left: float, before: float
) -> None:
    assert block_margin(left) == before


@pytest.mark.parametrize(
    "now, heard, explains",
    [
        (99.0, 98.0, True),
        (120.0, 99.0, True),
        (250.0, 85.0, True),  # it may have lived until then
        (80.0, 79.0, False),  # too early
        (250.0, 50.0, False),  # it was silent long before
    ],
)
def test_what_is_lost_about_the_end_of_a_block_was_ended_with_it(
    now: float, heard: float, explains: bool
) -> None:
    assert BlockEnd(at=100.0, margin=10.0).explains(now, heard, period=10.0) is explains
