"""The scaling plot, an SVG written by hand: how cost and memory grow."""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import rows
from results import Points, Results
from subjects import ALONE, HTEX

WIDTH, HEIGHT = 640, 300  # of a panel, with its margins
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
COLOURS = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#7f7f7f",
    "#882255",
]
MEGABYTE = 10**6


class Panel(NamedTuple):
    """One diagram: lines over a common pair of axes that begin at nothing."""

    title: str
    across: str
    up: str
    lines: dict[str, Points]
    logarithmic: bool = False
    """Whether the way across is by powers of ten."""


def scaling(results: Results) -> str:
    """The plot of a run; panels without points are left out."""
    series = results.series
    per_task = {name: found.get(rows.PER_TASK, []) for name, found in series.items()}
    panels = [
        Panel(
            "Time per task, all submitted at once",
            "tasks", "µs",
            per_task,
            logarithmic=True,
        ),
        Panel(
            "Interchange machine alone, managers full",
            "managers", "µs per task",
            {"interchange": series.get(ALONE, {}).get(rows.PER_MANAGER, [])},
            logarithmic=True,
        ),
        _memory(results, rows.STREAM_MEMORY, "Memory of each process, few outstanding"),
        _memory(results, rows.AT_ONCE_MEMORY, "Memory of each process, all submitted at once"),
    ]  # fmt: skip
    return svg([panel for panel in panels if any(panel.lines.values())])


def _memory(results: Results, series: str, title: str) -> Panel:
    found = results.series.get(HTEX, {}).get(series, {})
    lines = {name: [[at, size / MEGABYTE] for at, size in points] for name, points in found.items()}
    return Panel(f"{title}: {HTEX}", "tasks", "MB", lines)


def svg(panels: Sequence[Panel]) -> str:
    """Panels below one another."""
    height = HEIGHT * len(panels)
    body = "\n".join(_panel(panel, number * HEIGHT) for number, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )


def _panel(panel: Panel, top: int) -> str:
    lines = {name: points for name, points in panel.lines.items() if points}
    across = [x for points in lines.values() for x, _ in points]
    highest = max([1e-9, *(y for points in lines.values() for _, y in points)])
    ticks = round_steps(highest)
    first, last = (min(across), max(across)) if panel.logarithmic else (0, max(across))
    steps = _powers(first, last) if panel.logarithmic else round_steps(last)
    last = max(last, steps[-1])

    def x(value: float) -> float:
        if panel.logarithmic:
            share = math.log(value / first) / (math.log(last / first) or 1.0)
        else:
            share = (value - first) / ((last - first) or 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return top + HEIGHT - BOTTOM - value / ticks[-1] * (HEIGHT - TOP - BOTTOM)

    drawn = [_text(LEFT, top + 22, panel.title, size=13)]
    for tick in ticks:
        drawn.append(_line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "#dddddd"))
        drawn.append(_text(LEFT - 6, y(tick) + 4, _tick(tick), anchor="end"))
    for step in steps:
        drawn.append(_line(x(step), y(0), x(step), y(0) + 4, "#444444"))
        drawn.append(_text(x(step), y(0) + 16, _tick(step), anchor="middle"))
    drawn.append(_text((LEFT + WIDTH - RIGHT) / 2, y(0) + 34, panel.across, anchor="middle"))
    drawn.append(_text(LEFT - 6, top + TOP - 10, panel.up, anchor="end"))
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        drawn.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        )
        if panel.logarithmic:  # few points, each of which was measured on its own
            drawn += [
                f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>'
                for at, value in points
            ]
        height = top + TOP + 8 + 16 * index
        drawn.append(_line(WIDTH - RIGHT + 10, height, WIDTH - RIGHT + 28, height, colour))
        drawn.append(_text(WIDTH - RIGHT + 34, height + 4, name))
    return "\n".join(drawn)


def round_steps(highest: float, wanted: int = 5) -> list[float]:
    """Round numbers from nothing to just beyond the highest."""
    rough = highest / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
    return [step * count for count in range(math.ceil(highest / step - 1e-9) + 1)]


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def _powers(first: float, last: float) -> list[float]:
    least, most = math.ceil(math.log10(first)), math.ceil(math.log10(last) - 1e-9)
    return [10.0**power for power in range(least, max(least, most) + 1)]


def _text(x: float, y: float, said: str, *, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(said)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
