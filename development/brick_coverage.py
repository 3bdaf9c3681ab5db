"""Measure how much of each brick its own tests cover, and compare that with what its tier asks.

usage: brick_coverage.py [BRICK...]    (all that have a tier)

Counts lines and branches, in the processes that the tests start as well. Exit status 1 if a brick
is below what its tier asks, or if one of its tests failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ASKED = {"core": 95.0, "supported": 85.0, "contrib": 70.0}  # per cent; docs/design.md, section 4
PATIENT = ("-o", "timeout=600")  # seconds for a test; measuring makes those that compute slow
AT_ONCE = 4  # bricks; their tests wait more than they compute


class Covered(NamedTuple):
    """What the tests of one brick cover, in per cent."""

    brick: str
    tier: str
    total: float
    modules: dict[str, float]
    failed: str
    """What the tests said, if not all passed."""

    @property
    def enough(self) -> bool:
        """Whether this is what the tier asks."""
        return not self.failed and self.total >= ASKED[self.tier]

    def line(self) -> str:
        """A line of the table; it names the modules that are below what is asked."""
        asked = ASKED[self.tier]
        below = [f"{name} {part:.0f}" for name, part in self.modules.items() if part < asked]
        facts = f"{self.brick:22} {self.tier:9} {asked:5.0f} {self.total:6.1f}"
        return f"{facts}  {'tests failed' if self.failed else ', '.join(below)}"


def tier_of(brick: str) -> str:
    """What the brick's card says."""
    card = ROOT / "components" / "lamina" / brick / "brick.toml"
    return str(tomllib.loads(card.read_text(encoding="utf-8"))["brick"]["tier"])


def measure(brick: str, scratch: Path) -> Covered:
    """Run the brick's own tests, and read what they have covered."""
    data, report = scratch / brick / "data", scratch / brick / "report.json"
    data.parent.mkdir()
    source = ROOT / "components" / "lamina" / brick
    tests = ROOT / "tests" / "components" / "lamina" / brick
    pytest = ["-m", "pytest", "-q", "-p", "no:xdist", "-m", "not service", *PATIENT, str(tests)]
    ran = _coverage("run", f"--data-file={data}", f"--source={source}", *pytest)
    _coverage("combine", "--quiet", f"--data-file={data}", str(data.parent))
    _coverage("json", "--quiet", f"--data-file={data}", "-o", str(report))
    found = json.loads(report.read_text(encoding="utf-8"))
    modules = {
        Path(file).stem: one["summary"]["percent_covered"] for file, one in found["files"].items()
    }
    total = found["totals"]["percent_covered"]
    failed = "" if ran.returncode == 0 else ran.stdout
    return Covered(brick, tier_of(brick), total, modules, failed)


def _coverage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main(bricks: list[str]) -> int:
    """Print the table; return the exit status."""
    if not bricks:
        bricks = sorted(path.parent.name for path in ROOT.glob("components/lamina/*/brick.toml"))
    print(f"{'brick':22} {'tier':9} {'asked':>5} {'covers':>6}  modules below")
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as pool,
    ):
        table = list(pool.map(lambda brick: measure(brick, Path(scratch)), bricks))
    for one in table:
        print(one.line())
    for one in table:
        if one.failed:
            print(f"\n{one.brick}:\n{one.failed}")
    return int(not all(one.enough for one in table))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
