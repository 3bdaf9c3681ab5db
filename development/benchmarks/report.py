"""The Markdown table of a run: figures with medians, spread and ratios, and the targets."""

from typing import Any

from results import Results, Summary
from rows import ROWS
from subjects import ALONE, POOL
from targets import TARGETS, Target


def markdown(results: Results, facts: dict[str, Any]) -> str:
    """The whole report."""
    parts = [_opening(facts), _figures(results), _parts(results), _targets(results)]
    if results.left_out:
        lines = [f"- {name}: {why}" for name, why in results.left_out.items()]
        parts.append("Left out:\n\n" + "\n".join(lines))
    if results.failures:
        parts.append("Failed:\n\n" + "\n".join(f"- {each}" for each in results.failures))
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"Measured on {facts['when']}: {facts['cores']} cores, Python {facts['python']}, "
        f"load {facts['load']:.1f} at the start and {facts['load_after']:.1f} at the end, "
        f"rounds: {facts['rounds']}"
        + (f"; {versions}" if versions else "")
        + ".\nA cell is the median of the rounds, (least to most) where there were several, and "
        f"after the colon the ratio to {POOL} in the same run."
    )


def _figures(results: Results) -> str:
    subjects = [name for name in results.values if name != ALONE]
    rows = [row for row in ROWS if any(row in results.values[name] for name in subjects)]
    if not rows:
        return ""
    # One line for each subject would be wider than a page has room for with so many figures.
    lines = ["| figure | " + " | ".join(subjects) + " |", "|---" * (len(subjects) + 1) + "|"]
    for row in rows:
        cells = [_cell(results.summary(name, row)) for name in subjects]
        lines.append(f"| {row}, {ROWS[row].unit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: Summary | None) -> str:
    if found is None:
        return "-"
    said = number(found.median)
    if found.least != found.most:
        said += f" ({number(found.least)} to {number(found.most)})"
    return said if found.ratio is None else f"{said}: x {number(found.ratio)}"


def _parts(results: Results) -> str:
    rows = [row for row in ROWS if row in results.values.get(ALONE, {})]
    if not rows:
        return ""
    lines = [f"| {ALONE} | median (least to most) |", "|---|---|"]
    lines += [f"| {row}, {ROWS[row].unit} | {_cell(results.summary(ALONE, row))} |" for row in rows]
    return "\n".join(lines)


def _targets(results: Results) -> str:
    lines = ["| target | bound | figure | met |", "|---|---|---|---|"]
    for target in TARGETS:
        value = target.value(results)
        figure = "-" if value is None else f"{number(value)} {target.unit}"
        bound = f"{'≥' if target.at_least else '≤'} {number(target.bound)} {target.unit}"
        lines.append(f"| {target.name} | {bound} | {figure} | {_verdict(target, results)} |")
    return "\n".join(lines)


def _verdict(target: Target, results: Results) -> str:
    met = target.met(results)
    if met is None:
        return "not measured"
    lacking = target.needs(results)
    return ("yes" if met else "**no**") + (f", {lacking}" if lacking else "")


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"
