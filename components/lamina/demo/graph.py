"""From modules to packages, and from packages to the graph of who imports whom."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lamina.demo.modules import ModuleFacts

__all__ = ["ImportGraph", "Ranked", "Summary", "Unreadable", "join_summaries", "summarise"]


class Unreadable(NamedTuple):
    """A file that could not be looked at, and why."""

    path: str
    reason: str


class Ranked(NamedTuple):
    """A function among the most complex ones."""

    complexity: int
    module: str
    name: str
    line: int


class Summary(NamedTuple):
    """A package: the sums over its modules."""

    package: str
    modules: int
    size: int
    """Bytes."""
    lines: int
    functions: int
    complexity: int
    """The sum over its functions."""
    imports: tuple[tuple[str, int], ...]
    """Packages that it imports, and in how many of its modules."""
    worst: tuple[Ranked, ...]
    unreadable: tuple[Unreadable, ...]
    counted: tuple[tuple[str, int, int], ...]
    """Path, bytes and line feeds of each module, to be compared with what ``wc`` says."""


class ImportGraph(NamedTuple):
    """All packages together. An edge says in how many modules one imports the other."""

    packages: tuple[Summary, ...]
    """The one with the most lines first."""
    edges: tuple[tuple[str, str, int], ...]
    """Between packages that were looked at; the heaviest first."""
    most_imported: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, int], ...]
    """What is imported and neither was looked at nor is built into Python."""
    worst: tuple[Ranked, ...]

    @property
    def modules(self) -> int:
        """Modules that could be read."""
        return sum(package.modules for package in self.packages)

    @property
    def size(self) -> int:
        """Bytes in all of them."""
        return sum(package.size for package in self.packages)

    @property
    def lines(self) -> int:
        """Line feeds in all of them."""
        return sum(package.lines for package in self.packages)

    @property
    def functions(self) -> int:
        """Functions in all of them."""
        return sum(package.functions for package in self.packages)

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Files that could not be read, by path."""
        return tuple(sorted(each for package in self.packages for each in package.unreadable))


def summarise(package: str, modules: Sequence[ModuleFacts | Unreadable]) -> Summary:
    """Add up the modules of one package; what could not be read is kept apart."""
    read = [each for each in modules if isinstance(each, ModuleFacts)]
    imports: Counter[str] = Counter()
    for facts in read:
        tops = {name.partition(".")[0] for name in facts.imports}
        imports.update(tops - {package, "__future__"})
    functions = [
        Ranked(fact.complexity, facts.module, fact.name, fact.line)
        for facts in read
        for fact in facts.functions
    ]
    return Summary(
        package=package,
        modules=len(read),
        size=sum(facts.size for facts in read),
        lines=sum(facts.lines for facts in read),
        functions=len(functions),
        complexity=sum(each.complexity for each in functions),
        imports=tuple(sorted(imports.items())),
        worst=tuple(sorted(functions, reverse=True)[:10]),
        unreadable=tuple(each for each in modules if isinstance(each, Unreadable)),
        counted=tuple((facts.path, facts.size, facts.lines) for facts in read),
    )


def join_summaries(summaries: Iterable[Summary]) -> ImportGraph:
    """The graph of all packages. The order of the summaries does not matter."""
    packages = sorted(summaries, key=lambda each: (-each.lines, each.package))
    known = {each.package for each in packages}
    edges = [
        (each.package, target, count)
        for each in packages
        for target, count in each.imports
        if target in known
    ]
    edges.sort(key=lambda edge: (-edge[2], edge))
    imported: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for each in packages:
        for target, count in each.imports:
            if target in known or target in sys.stdlib_module_names:
                imported[target] += count
            else:
                missing[target] += count
    return ImportGraph(
        packages=tuple(packages),
        edges=tuple(edges),
        most_imported=tuple(sorted(imported.items(), key=lambda item: (-item[1], item[0]))[:15]),
        missing=tuple(sorted(missing.items(), key=lambda item: (-item[1], item[0]))[:15]),
        worst=tuple(sorted((each for one in packages for each in one.worst), reverse=True)[:10]),
    )
