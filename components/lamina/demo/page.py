"""The report as one HTML file that needs nothing else: no script, no font, no network."""

import html
from collections.abc import Iterable, Sequence

from lamina.demo.graph import ImportGraph, Summary
from lamina.demo.outcome import RunFacts
from lamina.demo.treemap import Box, treemap

__all__ = ["page", "picture"]

_WIDTH, _HEIGHT = 1200.0, 640.0
_BOXES = 250  # smaller packages share one box; below this nobody can read them

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
.facts { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 }
.facts div { background: var(--soft); border-radius: 8px; padding: .5rem .9rem }
.facts b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line) }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
svg { width: 100%; height: auto; border-radius: 8px } svg text { fill: #fff; pointer-events: none }
code { overflow-wrap: anywhere } .two { display: grid; gap: 2rem; grid-template-columns: 1fr 1fr }
@media (max-width: 800px) { .two { grid-template-columns: 1fr } }
"""


def page(graph: ImportGraph, run: RunFacts) -> str:
    """The whole report, as HTML."""
    facts = "".join(
        f"<div><b>{html.escape(value)}</b>{html.escape(name)}</div>"
        for name, value in [*_figures(graph), *run.figures()]
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Lamina: {graph.modules:,} modules</title><style>{_STYLE}</style></head><body>",
        f"<h1>{graph.modules:,} modules in {len(graph.packages):,} packages</h1>",
        f"<p>{html.escape(run.looked_at)}</p>",
        f'<div class="facts">{facts}</div>',
        "<h2>Packages by lines, redder where functions are more complex</h2>",
        picture(graph.packages),
        '<div class="two"><div><h2>Most imported</h2>',
        _table(("package", "modules that import it"), graph.most_imported),
        "</div><div><h2>Heaviest edges of the import graph</h2>",
        _table(("imports", "of", "modules"), graph.edges[:15]),
        "</div></div><h2>Most complex functions</h2>",
        _table(
            ("function", "line", "complexity"),
            [(f"{one.module}.{one.name}", one.line, one.complexity) for one in graph.worst],
        ),
        f"<h2>Largest packages</h2>{_packages(graph.packages[:25])}",
        f"<h2>Tasks that the retry policy ran again: {len(run.retried)}</h2>",
        _table(("task", "attempt", "because"), [tuple(one) for one in run.retried]),
        f"<h2>Files that could not be read: {len(graph.unreadable)}</h2>",
        _table(("file", "reason"), [tuple(one) for one in graph.unreadable]),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def picture(packages: Sequence[Summary]) -> str:
    """An inline SVG: one box per package, its area the number of its lines."""
    shown = [each for each in packages if each.lines > 0]
    boxes = [(each.package, each.lines, each.complexity, each.functions) for each in shown[:_BOXES]]
    rest = shown[_BOXES:]
    if rest:
        name = f"{len(rest):,} smaller packages"
        lines = sum(each.lines for each in rest)
        complexity = sum(each.complexity for each in rest)
        boxes.append((name, lines, complexity, sum(each.functions for each in rest)))
        boxes.sort(key=lambda box: -box[1])
    places = treemap([float(box[1]) for box in boxes], Box(0.0, 0.0, _WIDTH, _HEIGHT))
    drawn = "".join(_box(*box, place) for box, place in zip(boxes, places, strict=True))
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" '
        f'aria-label="packages by lines">{drawn}</svg>'
    )


def _box(name: str, lines: int, complexity: int, functions: int, at: Box) -> str:
    mean = complexity / functions if functions else 1.0
    hue = max(0.0, 210.0 - 35.0 * (mean - 1.0))  # blue at 1, red from 7 on
    title = f"{name}: {lines:,} lines, {functions:,} functions, mean complexity {mean:.1f}"
    size = min(18.0, at.height * 0.4, at.width / (0.62 * max(len(name), 1)))
    label = ""
    if size >= 7:
        label = (
            f'<text x="{at.x + 5:.1f}" y="{at.y + 3 + size:.1f}" '
            f'font-size="{size:.1f}">{html.escape(name)}</text>'
        )
    return (
        f'<g><title>{html.escape(title)}</title><rect x="{at.x:.1f}" y="{at.y:.1f}" '
        f'width="{at.width:.1f}" height="{at.height:.1f}" fill="hsl({hue:.0f} 55% 42%)" '
        f'stroke="#fff8" stroke-width="0.7"/>{label}</g>'
    )


def _figures(graph: ImportGraph) -> list[tuple[str, str]]:
    return [
        ("modules", f"{graph.modules:,}"),
        ("lines", f"{graph.lines:,}"),
        ("bytes", f"{graph.size:,}"),
        ("functions", f"{graph.functions:,}"),
        ("unreadable", f"{len(graph.unreadable):,}"),
    ]


def _packages(packages: Iterable[Summary]) -> str:
    rows = [
        (
            each.package,
            each.modules,
            each.lines,
            each.functions,
            f"{each.complexity / each.functions:.1f}" if each.functions else "-",
        )
        for each in packages
    ]
    return _table(("package", "modules", "lines", "functions", "mean complexity"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>None.</p>"
    kinds = ["" if isinstance(value, str) else ' class="n"' for value in rows[0]]
    head = "".join(
        f"<th{kind}>{html.escape(name)}</th>" for kind, name in zip(kinds, heads, strict=True)
    )
    lines = [f"<table><tr>{head}</tr>"]
    for row in rows:
        cells = "".join(
            f"<td{kind}>{html.escape(f'{value:,}' if isinstance(value, int) else str(value))}</td>"
            for kind, value in zip(kinds, row, strict=True)
        )
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</table>")
    return "\n".join(lines)
