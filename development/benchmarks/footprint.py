"""What a host must install, load and wait for: the slim bundle beside the full one and its peers.

python development/benchmarks/footprint.py [NAME ...]     names are those of COLUMNS

It builds the wheels, makes a fresh environment for each column, and prints the table of
docs/how-to/host.md. ``measure`` is what the test of that table calls.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["COLUMNS", "ROWS", "Footprint", "measure", "table"]

ROOT = Path(__file__).parents[2]
TIMES = 11  # imports, of which the median counts
MB = 1e6  # bytes


class Column(NamedTuple):
    """One thing to install."""

    distribution: str
    source: str
    """A project of this workspace, or what pip is to install."""
    imports: str
    """What a host imports to have htex and a provider for a batch system."""


COLUMNS = {
    "endpoint": Column(
        "lamina-endpoint",
        "projects/endpoint",
        "from lamina.endpoint import HighThroughputExecutor, SlurmProvider",
    ),
    "flow": Column(
        "lamina-flow",
        "projects/flow",
        "from lamina.flow import HighThroughputExecutor, SlurmProvider",
    ),
    "parsl": Column(
        "parsl",
        "parsl",
        "from parsl.executors import HighThroughputExecutor; "
        "from parsl.providers import SlurmProvider",
    ),
    "globus-compute-endpoint": Column(
        "globus-compute-endpoint",
        "globus-compute-endpoint",
        "from globus_compute_endpoint.engines import GlobusComputeEngine; "
        "from parsl.providers import SlurmProvider",
    ),
}

# Runs in the environment, which has no pip, and counts all that is there.
FACTS = """
import json, sys
from importlib import metadata
own, bytes_, modules, others, total = sys.argv[1], 0, 0, [], 0
for one in metadata.distributions():
    files = [path for path in one.files or () if "__pycache__" not in path.parts]
    size = sum(path.locate().stat().st_size for path in files if path.locate().is_file())
    total += size
    if one.metadata["Name"].lower().replace("_", "-") == own:
        bytes_, modules = size, sum(path.suffix == ".py" for path in files)
    else:
        others.append(one.metadata["Name"])
facts = {"own_mb": bytes_ / 1e6, "own_modules": modules, "others": len(others)}
print(json.dumps({**facts, "total_mb": total / 1e6}))
"""


class Footprint(NamedTuple):
    """One column of the table."""

    own_mb: float
    own_modules: int
    others: int
    """Other distributions that are installed with it."""
    total_mb: float
    import_ms: float
    """Without the interpreter's own start."""
    loaded: int
    """Modules that are there after the import."""


ROWS: Mapping[str, str] = {
    "own_mb": "its own files, installed, MB",
    "own_modules": "its own modules",
    "others": "other distributions that it needs",
    "total_mb": "installed with all of them, MB",
    "import_ms": "importing htex and a provider, ms",
    "loaded": "modules that this loads",
}


def measure(python: Path, column: Column, times: int = TIMES) -> Footprint:
    """Measure what is installed where this interpreter is."""
    facts = json.loads(_said(python, FACTS, column.distribution))
    empty = statistics.median(_seconds(python, "pass") for _ in range(times))
    whole = statistics.median(_seconds(python, column.imports) for _ in range(times))
    loaded = int(_said(python, f"{column.imports}\nimport sys; print(len(sys.modules))"))
    return Footprint(**facts, import_ms=1000 * (whole - empty), loaded=loaded)


def table(found: Mapping[str, Footprint]) -> str:
    """The table as Markdown, a column for each."""
    lines = ["| | " + " | ".join(f"`{COLUMNS[name].distribution}`" for name in found) + " |"]
    lines.append("|---" * (1 + len(found)) + "|")
    for field, words in ROWS.items():
        cells = [_rounded(getattr(one, field)) for one in found.values()]
        lines.append("| " + " | ".join([words, *cells]) + " |")
    return "\n".join(lines)


def _rounded(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if value < 10 else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _seconds(python: Path, program: str) -> float:
    began = time.perf_counter()
    _said(python, program)
    return time.perf_counter() - began


def _said(python: Path, program: str, *words: str) -> str:
    command = [str(python), "-I", "-c", program, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _installed(column: Column, place: Path) -> Path:
    """The interpreter of a fresh environment that has this and what it needs."""
    _run(sys.executable, "-m", "venv", "--without-pip", place)
    source = [column.source]
    if column.source.startswith("projects/"):
        wheels = place / "wheels"
        options = ["--quiet", "--no-deps", "--no-build-isolation", "-w", wheels]
        _run(sys.executable, "-m", "pip", "wheel", *options, ROOT / column.source)
        source = [*map(str, wheels.glob("*.whl")), "-c", str(ROOT / "constraints.txt")]
    python = place / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", *source)
    return python


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def main(names: Sequence[str]) -> None:
    """Measure these columns, or all, and print the table."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names or COLUMNS:
            column = COLUMNS[name]
            found[name] = measure(_installed(column, Path(folder) / name), column)
    print(table(found))


if __name__ == "__main__":
    main(sys.argv[1:])
