"""Add up the test runs of one `.ci/run`, and check that the evidence for each tier ran.

usage: ci_summary.py REPORTS    (a folder of junit files)

Ends with one line in pytest's own form for all runs together. Exit status 1 if any test failed,
none ran, or a test that a brick.toml names as evidence did not run or was skipped everywhere.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

ORDER = ("failed", "error", "passed", "skipped")


def outcomes(report: Path, root: Path) -> Iterator[tuple[str, str, float]]:
    """Read one junit file: the node id, the outcome and the seconds of each test."""
    for case in ElementTree.parse(report).iter("testcase"):
        children = {child.tag for child in case}
        outcome = "passed"
        for tag, word in (("skipped", "skipped"), ("failure", "failed"), ("error", "error")):
            if tag in children:
                outcome = word
        name = node_id(case.get("classname", ""), case.get("name", ""), root)
        yield name, outcome, float(case.get("time", "0"))


def node_id(classname: str, name: str, root: Path) -> str:
    """Put pytest's name of a test together: the module that exists, then classes, then the test.

    The junit attribute ``file`` will not do: for a test that a class got from elsewhere (a
    conformance kit), it names the file of the function, not the module that collected it.
    """
    parts = classname.split(".")
    for n in range(len(parts), 0, -1):
        module = "/".join(parts[:n]) + ".py"
        if (root / module).is_file():
            return "::".join([module, *parts[n:], name])
    return f"{classname}::{name}"


def evidence(root: Path) -> Iterator[tuple[str, str]]:
    """Each plug-in, and each test that its brick.toml leans on."""
    for card in sorted(root.glob("*/*/*/brick.toml")):
        data = tomllib.loads(card.read_text(encoding="utf-8"))
        for group, members in data.get("plugins", {}).items():
            for name, about in members.items():
                for test in about.get("evidence", []):
                    yield f"{group}.{name} ({about.get('tier')})", test


def without_proof(root: Path, passed: Iterable[str]) -> Iterator[str]:
    """Say which evidence is not among the tests that passed."""
    stems = set()
    for name in passed:
        parts = name.partition("[")[0].split("::")
        stems |= {name, *("::".join(parts[: n + 1]) for n in range(len(parts)))}
    for plugin, test in evidence(root):
        if test not in stems:
            yield f"{plugin}: {test} did not pass in any run"


def main(reports: Path, root: Path) -> int:
    """Print the sum; return the exit status."""
    counts, passed, seconds = Counter[str](), set[str](), 0.0
    for report in sorted(reports.rglob("*.xml")):
        for name, outcome, took in outcomes(report, root):
            counts[outcome] += 1
            seconds += took
            if outcome == "passed":
                passed.add(name)
    missing = list(without_proof(root, passed))
    for line in missing:
        print(f"evidence: {line}")
    total = ", ".join(f"{counts[word]} {word}" for word in ORDER if counts[word])
    print("all runs together, on all interpreters (seconds are those of the tests):")
    print(f" {total or 'no tests ran'} in {seconds:.2f}s ".center(79, "="))
    return int(bool(missing) or not passed or counts["failed"] + counts["error"] > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(__file__).parents[1]))
