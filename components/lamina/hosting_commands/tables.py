"""Rows of words, laid out for a terminal."""

from collections.abc import Sequence

__all__ = ["table"]


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows with columns in line; the last column is as long as it is."""
    if not rows:
        return ""
    *padded, _ = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in padded]
    lines = []
    for *cells, last in rows:
        filled = [f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([*filled, last]).rstrip())
    return "\n".join(lines)
