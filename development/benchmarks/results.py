"""What a run has found: values by subject, row and round, and points by subject and series."""

import statistics
from typing import Any, NamedTuple

from rows import ROWS
from subjects import POOL

Points = list[list[float]]


class Summary(NamedTuple):
    """One cell of the table."""

    median: float
    least: float
    most: float
    ratio: float | None
    """Over the process pool of the same run; None where that has no such figure."""


class Results:
    """Everything that one run has found so far."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = {}
        self.series: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        """Subjects that could not be measured at all, and why."""
        self.failures: list[str] = []

    def add(self, subject: str, found: dict[str, Any]) -> None:
        """Take what one trial has said."""
        for name, value in found.items():
            if name == "version":
                self.versions[subject] = value
            elif name in ROWS:
                self.values.setdefault(subject, {}).setdefault(name, []).append(float(value))
            else:
                self.series.setdefault(subject, {})[name] = value

    def summary(self, subject: str, row: str) -> Summary | None:
        """The median of the rounds, their spread, and the ratio to the process pool."""
        values = self.values.get(subject, {}).get(row)
        if not values:
            return None
        median = statistics.median(values)
        scale = self.median(POOL, row)
        # What is a ratio already, or a growth that ought to be nothing, is not compared again.
        compared = subject != POOL and ROWS[row].unit not in ("x", "MB")
        ratio = median / scale if compared and scale and scale > 0 else None
        return Summary(median, min(values), max(values), ratio)

    def median(self, subject: str, row: str) -> float | None:
        """The median of the rounds, if there was one."""
        values = self.values.get(subject, {}).get(row)
        return statistics.median(values) if values else None

    def over(self, subject: str, row: str, other: str) -> float | None:
        """One subject's median over another's of the same run."""
        ours, theirs = self.median(subject, row), self.median(other, row)
        return ours / theirs if ours is not None and theirs else None

    def as_json(self) -> dict[str, Any]:
        """All of it, with the summaries."""
        summaries: dict[str, Any] = {}
        for subject, rows in self.values.items():
            for row in rows:
                found = self.summary(subject, row)
                if found is not None:
                    cell = {"unit": ROWS[row].unit, **found._asdict(), "rounds": rows[row]}
                    summaries.setdefault(subject, {})[row] = cell
        return {
            "figures": summaries,
            "series": self.series,
            "versions": {name: version for name, version in self.versions.items() if version},
            "left_out": self.left_out,
            "failures": self.failures,
        }
