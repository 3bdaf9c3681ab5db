"""Rectangles whose areas are in proportion to weights, as near to squares as they come."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Box", "treemap"]


class Box(NamedTuple):
    """A rectangle, in the units of the picture; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


def treemap(weights: Sequence[float], whole: Box) -> list[Box]:
    """One box per weight, in their order, together filling the whole.

    Weights are positive and descend; rows are laid along the shorter side for as long as that
    keeps the worst box of the row from growing thinner.
    """
    total = sum(weights)
    if not weights or total <= 0:
        return []
    scale = whole.width * whole.height / total
    areas = [weight * scale for weight in weights]
    boxes: list[Box] = []
    free, at = whole, 0
    while at < len(areas):
        side = min(free.width, free.height)
        end = at + 1
        while end < len(areas) and _worst(areas[at : end + 1], side) <= _worst(areas[at:end], side):
            end += 1
        row, free = _lay(areas[at:end], free)
        boxes += row
        at = end
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """The thinnest box's long side over its short one, if this row is laid along ``side``."""
    if side <= 0:
        return float("inf")
    thickness = sum(row) / side
    if thickness <= 0:
        return float("inf")
    return max(
        max(area / thickness / thickness, thickness * thickness / area) if area > 0 else 0.0
        for area in row
    )


def _lay(row: Sequence[float], free: Box) -> tuple[list[Box], Box]:
    x, y, width, height = free
    boxes = []
    if width >= height:
        thick = sum(row) / height if height else 0.0
        for area in row:
            long = area / thick if thick else 0.0
            boxes.append(Box(x, y, thick, long))
            y += long
        return boxes, Box(free.x + thick, free.y, max(width - thick, 0.0), height)
    thick = sum(row) / width if width else 0.0
    for area in row:
        long = area / thick if thick else 0.0
        boxes.append(Box(x, y, long, thick))
        x += long
    return boxes, Box(free.x, free.y + thick, width, max(height - thick, 0.0))
