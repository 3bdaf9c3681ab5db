"""The table that ends a run, for a person at a terminal."""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lamina.demo.graph import ImportGraph
from lamina.demo.outcome import RunFacts

__all__ = ["show"]

_ROWS = 12


def show(console: Console, graph: ImportGraph, run: RunFacts, report: str) -> None:
    """Print the packages, what went wrong, what was run again, and the figures of the run."""
    parts: list[RenderableType] = [_packages(graph)]
    if run.retried:
        parts.append(_listing("run again by the retry policy", [_again(run)]))
    if graph.unreadable:
        reasons = [
            f"{escape(one.path)}  [dim]{escape(one.reason)}[/]" for one in graph.unreadable[:_ROWS]
        ]
        if len(graph.unreadable) > _ROWS:
            reasons.append(f"[dim]and {len(graph.unreadable) - _ROWS} more, in the report[/]")
        parts.append(_listing("not readable, so not retried", reasons))
    if run.disagreements:
        parts.append(
            _listing("wc disagrees about", [escape(one) for one in run.disagreements[:_ROWS]])
        )
    parts.append(_figures(run))
    parts.append(Text(f"report: {report}"))
    console.print(Group(*parts), soft_wrap=False)


def _packages(graph: ImportGraph) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, title="The largest packages")
    table.add_column("package", footer=f"all {len(graph.packages):,}")
    for name, total in (
        ("modules", graph.modules),
        ("lines", graph.lines),
        ("functions", graph.functions),
    ):
        table.add_column(name, justify="right", footer=f"{total:,}")
    table.add_column("complexity", justify="right")
    table.add_column("most complex function")
    for each in graph.packages[:_ROWS]:
        worst = each.worst[0] if each.worst else None
        table.add_row(
            each.package,
            f"{each.modules:,}",
            f"{each.lines:,}",
            f"{each.functions:,}",
            f"{each.complexity / each.functions:.1f}" if each.functions else "-",
            f"{worst.name} ({worst.complexity})" if worst else "-",
        )
    return table


def _again(run: RunFacts) -> str:
    return "\n".join(
        f"{escape(one.task)}  [dim]attempt {one.attempt}: {escape(one.because)}[/]"
        for one in run.retried
    )


def _listing(title: str, rows: list[str]) -> Panel:
    return Panel("\n".join(rows), title=title, title_align="left", box=box.ROUNDED)


def _figures(run: RunFacts) -> Panel:
    table = Table.grid(padding=(0, 2))
    for name, value in run.figures():
        table.add_row(f"[dim]{name}[/]", value)
    return Panel(table, title="the run", title_align="left", box=box.ROUNDED, expand=False)
