"""Every link of the documents leads somewhere, every page is found, and the examples are true."""

import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from lamina.apps import load
from lamina.conformance import RESOURCE_BINDER, run
from lamina.executors import ThreadPoolExecutor
from lamina.kernel import Config

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("projects/*/*.md")])

# Pages whose examples make values, or are run up to where they would start something; those of
# all other pages are run by tests of their own.
DESCRIBING = ["aws", "batch-systems", "kubernetes", "mpi", "resources", "ssh"]
EXAMPLES = [
    pytest.param(code, id=f"{page}-{number}")
    for page in DESCRIBING
    for number, code in enumerate(
        re.findall(
            r"```python\n(.*?)```", (ROOT / f"docs/how-to/{page}.md").read_text("utf-8"), re.DOTALL
        )
    )
]


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """What a page links to here, each with the heading."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            path, _, heading = link.partition("#")
            yield (page.parent / path).resolve() if path else page, heading


def headings(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_heading_that_exist(page: Path) -> None:
    for target, heading in links(page):
        assert target.exists(), target
        assert not heading or heading in headings(target), f"{target}#{heading}"


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_test_that_a_page_names_is_there(page: Path) -> None:
    folders = "tests|development|examples|components|bases|projects|docs"
    for named in re.findall(rf"`((?:{folders})/[\w/.-]+(?:::\w+)?)`", page.read_text("utf-8")):
        file, _, test = named.partition("::")
        assert (ROOT / file).exists(), named
        assert not test or f"def {test}(" in (ROOT / file).read_text("utf-8"), named


def test_the_design_has_each_brick_in_its_row() -> None:
    table = tomllib.loads((ROOT / "workspace.toml").read_text(encoding="utf-8"))["tool"]["arch"]
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    drawn = dict(re.findall(r"^(\d\w?) +\S+ {2,}(.*)$", text, re.MULTILINE))
    assert list(drawn) == list(reversed(table["rows"]))
    for brick, facts in table["bricks"].items():
        words = set(re.findall(r"\w+\*?", drawn[facts["row"]]))
        assert brick in words or f"{brick.partition('_')[0]}*" in words, brick


def test_every_page_is_found_from_the_readme() -> None:
    found, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in found:
            found.add(page)
            todo += [target for target, _ in links(page) if target.suffix == ".md"]
    pages = set(ROOT.glob("docs/**/*.md")) | set(ROOT.glob("*.md"))
    assert pages <= found, sorted(map(str, pages - found))


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_describes_something_that_can_be_made(code: str) -> None:
    described, _, _ = code.partition("\nwith load(")
    compile(code, "example", "exec")
    exec(described, {"__name__": "example"})


def test_the_binder_of_the_guide_keeps_what_its_protocol_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/how-to/resources.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import attrs\n.*?)```", text, re.DOTALL)
    (tmp_path / "acme_licences.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    report = run(RESOURCE_BINDER, import_module("acme_licences").Licences)
    assert report.kept, str(report)


def test_the_example_of_sharing_works_as_printed(tmp_path: Path) -> None:
    text = (ROOT / "docs/reference/apps.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {"__name__": "example"}
    with load(Config(executors=[ThreadPoolExecutor()], run_dir=tmp_path)):
        exec(code, names)
        futures = names["futures"]
        assert isinstance(futures, list)
        assert [future.result(10) for future in futures] == list(range(100))
