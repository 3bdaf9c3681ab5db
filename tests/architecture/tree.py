"""The workspace as the rules see it: read from files and syntax trees, never imported.

Nothing here judges. A file that cannot be read as what it should be raises `Unreadable`.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

KINDS = {"component": "components", "base": "bases"}  # kind of brick -> its folder
TIERS = ("contrib", "supported", "core")  # from the least promise to the greatest

Functions = ast.FunctionDef | ast.AsyncFunctionDef


class Unreadable(Exception):
    """A file of the workspace is not the TOML or the Python that it should be."""


@dataclass(frozen=True)
class Import:
    """One import statement, with relative names made absolute."""

    module: str  # what stands after `from`, or after `import`
    names: tuple[str, ...]  # what `from` takes out of it; empty for `import x`
    line: int
    late: bool  # inside a function, or under TYPE_CHECKING
    dotted: bool  # `import x.y`, not `from x import y`

    @property
    def top(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """One Python file of a brick."""

    path: Path
    package: str  # the absolute name of the package that it is in
    name: str  # relative to the brick, dotted; "__init__" for the brick's face

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        try:
            return ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        except (SyntaxError, UnicodeDecodeError) as error:
            raise Unreadable(f"{self.path} is no Python: {error}") from error

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import statement, wherever it stands."""
        return tuple(_imports(self.tree, self.package, late=False))

    @cached_property
    def docstrings(self) -> frozenset[int]:
        """The ids of the constants that are docstrings, of attributes too."""
        return frozenset(
            id(node.value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that exist once the module is imported, `_WHERE`'s late ones included."""
        return frozenset(_bound(self.tree.body)) | frozenset(self.dict_literal("_WHERE") or ())

    @cached_property
    def exported(self) -> tuple[str, ...] | None:
        """What `__all__` lists, or None where there is no list of plain strings."""
        value = self.assigned("__all__")
        if not isinstance(value, ast.List | ast.Tuple):
            return None
        names = [e.value for e in value.elts if isinstance(e, ast.Constant)]
        if len(names) != len(value.elts):
            return None
        return tuple(str(name) for name in names)

    def assigned(self, name: str) -> ast.expr | None:
        """The expression that a top-level statement assigns to ``name``."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                targets: list[ast.expr] = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            else:
                continue
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                return node.value
        return None

    def dict_literal(self, name: str) -> dict[str, ast.expr] | None:
        """A top-level dict literal with text keys; one wrapped in a call is seen as well."""
        value = self.assigned(name)
        if isinstance(value, ast.Call) and len(value.args) == 1:  # MappingProxyType({...})
            value = value.args[0]
        if not isinstance(value, ast.Dict):
            return None
        return {
            key.value: item
            for key, item in zip(value.keys, value.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }

    def classes(self) -> Iterator[ast.ClassDef]:
        """The classes at the top of the module."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                yield node


@dataclass(frozen=True)
class Brick:
    """One brick: a folder under components/<namespace> or bases/<namespace>."""

    name: str
    kind: str  # "component" or "base"
    path: Path
    modules: tuple[Module, ...]

    def module(self, name: str) -> Module | None:
        """The module of that relative name."""
        for module in self.modules:
            if module.name in (name, f"{name}.__init__"):
                return module
        return None

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """What brick.toml says; empty where there is none."""
        path = self.path / "brick.toml"
        return _toml(path) if path.is_file() else {}

    @property
    def tier(self) -> str | None:
        """The brick's own tier; None for a door, and where brick.toml is silent."""
        tier = self.card.get("brick", {}).get("tier")
        return str(tier) if tier is not None else None

    def plugins(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Each plug-in that brick.toml describes: group, name, and what it says of it."""
        for group, members in self.card.get("plugins", {}).items():
            for name, about in members.items():
                yield group, name, about


@dataclass(frozen=True)
class Declared:
    """One row of [tool.arch.bricks]."""

    row: str
    libraries: frozenset[str]
    above: frozenset[str] = frozenset()
    pure: bool | tuple[str, ...] = False


@dataclass(frozen=True)
class Library:
    """One row of [tool.arch.libraries]."""

    imports: tuple[str, ...]
    room: str | None = None


@dataclass(frozen=True)
class Project:
    """One distribution, or the workspace itself: a pyproject.toml."""

    path: Path
    dependencies: frozenset[str]
    extras: frozenset[str]  # what it depends on only where somebody asks for it
    bricks: Mapping[str, str]  # path of a brick, from this file -> its path in the wheel


@dataclass(frozen=True)
class Workspace:
    """All of it."""

    root: Path
    namespace: str
    rows: tuple[str, ...]
    banned_names: frozenset[str]
    impure_modules: frozenset[str]
    impure_attributes: frozenset[str]
    libraries: Mapping[str, Library]
    declared: Mapping[str, Declared]
    bricks: Mapping[str, Brick]
    projects: tuple[Project, ...] = field(default=())
    development: Project | None = None

    def height(self, brick: str) -> int:
        """How far up the brick's row is."""
        return self.rows.index(self.declared[brick].row)

    def brick_of(self, module: str) -> str | None:
        """The brick that an absolute module name lies in, existing or not."""
        parts = module.split(".")
        return parts[1] if parts[0] == self.namespace and len(parts) > 1 else None

    def modules(self) -> Iterator[tuple[Brick, Module]]:
        """Every module of every brick."""
        for brick in self.bricks.values():
            for module in brick.modules:
                yield brick, module


def read(root: Path) -> Workspace:
    """Read the workspace that lies at ``root``."""
    tool = _toml(root / "workspace.toml")["tool"]
    arch, namespace = tool["arch"], tool["polylith"]["namespace"]
    development = root / "pyproject.toml"
    return Workspace(
        root=root,
        namespace=namespace,
        rows=tuple(arch["rows"]),
        banned_names=frozenset(arch["banned_module_names"]),
        impure_modules=frozenset(arch["purity"]["modules"]),
        impure_attributes=frozenset(arch["purity"]["attributes"]),
        libraries={
            name: Library(tuple(row["imports"]), row.get("room"))
            for name, row in arch["libraries"].items()
        },
        declared={
            name: Declared(
                row=row["row"],
                libraries=frozenset(row["libraries"]),
                above=frozenset(row.get("above", ())),
                pure=pure if isinstance(pure := row.get("pure", False), bool) else tuple(pure),
            )
            for name, row in arch["bricks"].items()
        },
        bricks={brick.name: brick for brick in _bricks(root, namespace)},
        projects=tuple(_project(p) for p in sorted(root.glob("projects/*/pyproject.toml"))),
        development=_project(development) if development.is_file() else None,
    )


def distribution(requirement: str) -> str:
    """The name in a requirement, normalised: ``Typing_Extensions>=4`` is typing-extensions."""
    name = requirement
    for end in " <>=!~;[(@":
        name = name.partition(end)[0]
    return name.strip().lower().replace("_", "-").replace(".", "-")


def _bricks(root: Path, namespace: str) -> Iterator[Brick]:
    for kind, folder in KINDS.items():
        for path in sorted((root / folder / namespace).glob("*/")):
            if path.name == "__pycache__" or not any(path.rglob("*.py")):
                continue  # what a removed brick left behind
            modules = tuple(_modules(path, f"{namespace}.{path.name}"))
            yield Brick(path.name, kind, path, modules)


def _modules(brick: Path, package: str) -> Iterator[Module]:
    for path in sorted(brick.rglob("*.py")):
        folders = path.parent.relative_to(brick).parts
        name = ".".join((*folders, path.stem))
        yield Module(path, ".".join((package, *folders)), name)


def _project(path: Path) -> Project:
    data = _toml(path)
    extras = data["project"].get("optional-dependencies", {})
    return Project(
        path=path,
        dependencies=frozenset(map(distribution, data["project"].get("dependencies", ()))),
        extras=frozenset(map(distribution, chain.from_iterable(extras.values()))),
        bricks=data.get("tool", {}).get("polylith", {}).get("bricks", {}),
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} is no TOML: {error}") from error


def _imports(node: ast.AST, package: str, *, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, (), child.lineno, late, dotted=True)
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            yield Import(_absolute(child, package), names, child.lineno, late, dotted=False)
        elif isinstance(child, ast.If) and _asks_for_type_checking(child.test):
            for statement in child.body:
                yield from _imports(ast.Module([statement], []), package, late=True)
            for statement in child.orelse:
                yield from _imports(ast.Module([statement], []), package, late=late)
        else:
            inside = late or isinstance(child, Functions | ast.Lambda)
            yield from _imports(child, package, late=inside)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _asks_for_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, Functions | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name) and node.value is not None:
                yield node.target.id
        elif isinstance(node, ast.If) and not _asks_for_type_checking(node.test):
            yield from _bound(node.body)
            yield from _bound(node.orelse)
        elif isinstance(node, ast.Try):
            yield from _bound(node.body)
