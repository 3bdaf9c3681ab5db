import pytest

from lamina.demo.treemap import Box, treemap

WHOLE = Box(0.0, 0.0, 120.0, 60.0)
WEIGHTS = [600.0, 500.0, 100.0, 40.0, 40.0, 3.0, 1.0]


def test_areas_are_in_proportion() -> None:
    boxes = treemap(WEIGHTS, WHOLE)
    areas = [box.width * box.height for box in boxes]
    assert areas == pytest.approx([w / sum(WEIGHTS) * 7200 for w in WEIGHTS])


def test_no_box_leaves_the_whole_or_meets_another() -> None:
    boxes = treemap(WEIGHTS, WHOLE)
    for n, a in enumerate(boxes):
        assert a.x >= 0
        assert a.x + a.width <= 120 + 1e-6
        assert a.y + a.height <= 60 + 1e-6
        for b in boxes[n + 1 :]:
            apart = (
                a.x + a.width <= b.x + 1e-6
                or b.x + b.width <= a.x + 1e-6
                or a.y + a.height <= b.y + 1e-6
                or b.y + b.height <= a.y + 1e-6
            )
            assert apart


@pytest.mark.parametrize("weights", [[], [0.0]])
def test_nothing_needs_no_box(weights: list[float]) -> None:
    assert treemap(weights, WHOLE) == []
