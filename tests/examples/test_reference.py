"""The tables of docs/reference are complete, and each row names a test that exists."""

import ast
import functools
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import attrs
import pytest

from lamina.apps import AppOptions, Options
from lamina.executors import ThreadPoolExecutor
from lamina.executors_htex import HighThroughputExecutor
from lamina.kernel import Config

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(page.stem for page in REFERENCE.glob("*.md"))
KEYWORDS = {"inputs", "outputs", "stdout", "stderr", "walltime", "parsl_resource_specification"}
NODE = re.compile(r"`(tests/[^`]+\.py)::(\w+)`")


class Row(NamedTuple):
    heading: str
    cells: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the first cell has between its first backquotes."""
        found = re.match(r"`(\w+)", self.cells[0])
        return found[1] if found else ""


def rows(page: str) -> list[Row]:
    """The rows of all tables of a page, without their headings."""
    found, heading, inside = [], "", False
    for line in (REFERENCE / f"{page}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            inside = False
        elif set(line) <= set("|-: "):
            inside = True
        elif inside:
            found.append(Row(heading, tuple(cell.strip() for cell in line.strip("|").split("|"))))
    return found


def names(page: str, heading: str) -> list[str]:
    return [row.name for row in rows(page) if row.heading == heading]


def parameters(of: type) -> list[str]:
    return [name for name in inspect.signature(of).parameters if name != "self"]


def listed(page: str, heading: str, wanted: Iterable[str]) -> None:
    assert sorted(names(page, heading)) == sorted(wanted)


@functools.cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def errors() -> set[str]:
    """The public classes of errors below LaminaError, read from the sources."""
    bases: dict[str, set[str]] = {}
    for path in (*ROOT.glob("components/lamina/*/*.py"), *ROOT.glob("bases/lamina/*/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    found = {"LaminaError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return {name for name in found if not name.startswith("_")}


def test_each_option_of_a_decorator_is_listed() -> None:
    options = {field.name for field in attrs.fields(Options)}
    assert options == set(AppOptions.__annotations__)
    listed("apps", "Options", options)


def test_each_keyword_of_a_call_is_listed() -> None:
    listed("apps", "Keywords of a call", KEYWORDS)


def test_the_keywords_are_those_that_the_code_knows() -> None:
    shape = ROOT / "components/lamina/apps/shape.py"
    for node in ast.parse(shape.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPECIAL":
            assert isinstance(node.value, ast.Call)
            assert ast.literal_eval(node.value.args[0]) == KEYWORDS
            return
    pytest.fail("shape.py has no SPECIAL")


def test_each_option_of_a_kernel_is_listed() -> None:
    listed("kernel", "Config", parameters(Config))


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, HighThroughputExecutor])
def test_each_option_of_an_executor_is_listed(executor: type) -> None:
    listed("executors", executor.__name__, parameters(executor))


@pytest.mark.parametrize(
    "page, heading, of",
    [
        ("kernel", "Config", Config),
        ("executors", "ThreadPoolExecutor", ThreadPoolExecutor),
        ("executors", "HighThroughputExecutor", HighThroughputExecutor),
        ("apps", "Options", Options),
    ],
)
def test_each_plain_default_is_the_one_of_the_code(page: str, heading: str, of: type) -> None:
    found = {row.name: row.cells[2] for row in rows(page) if row.heading == heading}
    for parameter in inspect.signature(of).parameters.values():
        default = parameter.default
        if default is None or isinstance(default, bool | int | float | str):
            assert found[parameter.name] == f"`{default!r}`".replace("'", '"'), parameter.name


def test_each_error_is_listed() -> None:
    found = [row.name for row in rows("errors")]
    assert sorted(found) == sorted(errors())


@pytest.mark.parametrize("page", PAGES)
def test_each_row_names_a_test_that_exists(page: str) -> None:
    for row in rows(page):
        nodes = NODE.findall(row.cells[-1])
        assert nodes, f"{row.cells[0]} of {page}.md names no test"
        for file, test in nodes:
            assert (ROOT / file).is_file(), f"{row.cells[0]} names {file}"
            assert test in functions_of(ROOT / file), f"{row.cells[0]} names {file}::{test}"


@pytest.mark.parametrize("page", PAGES)
def test_all_rows_of_a_table_have_the_same_number_of_cells(page: str) -> None:
    widths: dict[str, set[int]] = {}
    for row in rows(page):
        widths.setdefault(row.heading, set()).add(len(row.cells))
    assert all(len(found) == 1 for found in widths.values())
