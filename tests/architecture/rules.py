"""The rules of the house (docs/design.md, sections 3 and 4), one function each.

A rule takes the workspace and yields a `Problem` for each place that breaks it, in words that say
what is wrong there and what would be right. `RULES` holds them all.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import (
    TIERS,
    Brick,
    Functions,
    Import,
    Module,
    Project,
    Workspace,
    distribution,
)

DOORS_MAY_LATE = ("supported", "contrib")


@dataclass(frozen=True)
class Problem:
    """One place where one rule is broken."""

    rule: str
    path: Path
    line: int
    says: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.says} [{self.rule}]"


Rule = Callable[[Workspace], Iterable[tuple[Path, int, str]]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Put a rule on the list, under its own name."""
    RULES[function.__name__] = function
    return function


def problems(workspace: Workspace, *names: str) -> list[Problem]:
    """Everything that is wrong, by all rules or by those named."""
    return [
        Problem(name, _within(workspace.root, path), line, says)
        for name in names or RULES
        for path, line, says in RULES[name](workspace)
    ]


def _within(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


# The table and the bricks


@rule
def bricks_are_declared(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Each brick has its line in the table, and each line its brick."""
    table = ws.root / "workspace.toml"
    for name in ws.bricks.keys() - ws.declared.keys():
        yield (
            ws.bricks[name].path,
            1,
            f"brick {name} is not declared; give it a line in [tool.arch.bricks] of workspace.toml",
        )
    for name in ws.declared.keys() - ws.bricks.keys():
        yield table, 1, f"brick {name} is declared but does not exist; write it or drop its line"
    for name, row in ws.declared.items():
        if row.row not in ws.rows:
            yield table, 1, f"brick {name} stands in row {row.row!r}; rows are {', '.join(ws.rows)}"
            continue
        for other in row.above:
            if other not in ws.declared or ws.declared[other].row != row.row:
                says = f"{name} is above {other}, which is no brick of its row; drop that arrow"
                yield table, 1, says
        for library in row.libraries - ws.libraries.keys():
            says = f"{name} uses {library}, which [tool.arch.libraries] lacks; add it there"
            yield table, 1, says
        brick = ws.bricks.get(name)
        if brick and (row.row == ws.rows[-1]) != (brick.kind == "base"):
            yield brick.path, 1, f"{name}: bases, and only bases, stand in row {ws.rows[-1]}"
        for module in row.pure if isinstance(row.pure, tuple) else ():
            if brick and not brick.module(module):
                says = f"{name} calls its module {module} pure, but has none of that name"
                yield table, 1, says


@rule
def arrows_have_no_cycle(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Within a row, `above` goes one way."""
    for start in ws.declared:
        seen, todo = set[str](), set(ws.declared[start].above)
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= ws.declared[name].above - seen if name in ws.declared else set()
        if start in seen:
            says = f"{start} is above itself; take one arrow out of the circle"
            yield ws.root / "workspace.toml", 1, says


@rule
def bricks_are_complete(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """A brick has a face, a card and the marker of typed packages."""
    for brick in ws.bricks.values():
        for name, why in (
            ("__init__.py", "the brick's face: a docstring, imports and __all__"),
            ("brick.toml", "its tier, owner, Protocols and plug-ins (see CONTRIBUTING.md)"),
            ("py.typed", "an empty file, without which type checkers ignore our annotations"),
        ):
            if not (brick.path / name).is_file():
                yield brick.path / name, 1, f"brick {brick.name} lacks {name}: {why}"


@rule
def the_namespace_stays_open(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """No __init__.py makes the namespace a package of one folder only."""
    for folder in ("components", "bases"):
        for path in (
            ws.root / folder / "__init__.py",
            ws.root / folder / ws.namespace / "__init__.py",
        ):
            if path.exists():
                yield path, 1, f"{ws.namespace} is a namespace package; remove this file"


@rule
def modules_are_named_for_what_they_hold(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Some names say nothing."""
    for brick, module in ws.modules():
        for part in {brick.name, *module.name.split(".")} & ws.banned_names:
            yield module.path, 1, f"{part} says nothing; name the module for what it holds"


# Imports


def _inward(ws: Workspace) -> Iterator[tuple[Brick, Module, Import, str]]:
    """Each import of one of our bricks by another: who, where, what, and of which brick."""
    for brick, module in ws.modules():
        for item in module.imports:
            if item.module == ws.namespace:
                for name in item.names:
                    if name != brick.name:
                        yield brick, module, item, name
            elif (name := ws.brick_of(item.module) or brick.name) != brick.name:
                yield brick, module, item, name


@rule
def imports_go_down(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """A brick imports from lower rows, and along its arrows; late and typing imports count too."""
    for brick, module, item, name in _inward(ws):
        mine, other = ws.declared.get(brick.name), ws.declared.get(name)
        if other is None:
            yield module.path, item.line, f"{item.module}: the table knows no brick {name}"
        elif mine is None or mine.row not in ws.rows or other.row not in ws.rows:
            continue  # reported by bricks_are_declared
        elif name not in mine.above and ws.height(name) >= ws.height(brick.name):
            why = "bases import no base" if name in _bases(ws) else f"it stands in row {other.row}"
            says = (
                f"{brick.name} (row {mine.row}) may not import {name}: {why}; "
                "move what both need to a lower row, or be handed it from above"
            )
            yield module.path, item.line, says


@rule
def imports_stop_at_the_door(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Of another brick, only what its __init__ exports is anybody's business."""
    for _, module, item, name in _inward(ws):
        face = f"{ws.namespace}.{name}"
        if item.module.startswith(face + "."):
            says = (
                f"{item.module} is inside {name}; import from {face}, which may have to export it"
            )
            yield module.path, item.line, says
        elif item.module == face and name in ws.bricks:
            door = ws.bricks[name].module("__init__")
            for hidden in sorted(set(item.names) - set((door and door.exported) or ())):
                says = f"{face} does not export {hidden}; add it to __all__ there, or do without"
                yield module.path, item.line, says


@rule
def imports_can_be_vendored(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """The only form that vendoring rewrites is `from lamina.brick import name`."""
    for _, module in ws.modules():
        for item in module.imports:
            if item.top == ws.namespace and (item.dotted or item.module == ws.namespace):
                form = f"from {ws.namespace}.<brick> import <name>"
                yield module.path, item.line, f"vendoring cannot rewrite this; write `{form}`"
            elif item.top == ws.namespace and "*" in item.names:
                yield module.path, item.line, "import names, not *"


@rule
def libraries_stay_in_their_rooms(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """An outside library is declared, used where declared, and only in its room."""
    whose = {name: lib for lib, row in ws.libraries.items() for name in row.imports}
    ours = sys.stdlib_module_names | {ws.namespace, "__future__", ""}
    used: dict[str, set[str]] = {brick: set() for brick in ws.bricks}
    for brick, module in ws.modules():
        for item in module.imports:
            if item.top in ours:
                continue
            library = whose.get(item.top)
            if library is None:
                says = f"no library of [tool.arch.libraries] is imported as {item.top}; declare it"
                yield module.path, item.line, says
                continue
            used[brick.name].add(library)
            room = ws.libraries[library].room
            if room and room not in (brick.name, f"{brick.name}.{module.name}"):
                says = f"{item.top} lives in {room} only; ask that brick for what you need"
                yield module.path, item.line, says
            row = ws.declared.get(brick.name)
            if row and library not in row.libraries:
                says = f"{brick.name} does not declare {library}; add it to its line in the table"
                yield module.path, item.line, says
    for name, brick in ws.bricks.items():
        row = ws.declared.get(name)
        for library in sorted(row.libraries - used[name]) if row else ():
            says = f"{name} declares {library} but never imports it; take it out of its line"
            yield brick.path, 1, says


@rule
def pure_modules_stay_pure(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """A decision is told the time and the chance, and returns what is to be done."""
    for brick, module in ws.modules():
        row = ws.declared.get(brick.name)
        if row is None or not (row.pure is True or (row.pure and module.name in row.pure)):
            continue
        advice = "a pure module is told what it needs and returns effects; let its shell do this"
        for item in module.imports:
            taken = {f"{item.module}.{name}" for name in item.names} & ws.impure_attributes
            if item.top in ws.impure_modules:
                yield module.path, item.line, f"{item.top} in {brick.name}: {advice}"
            for name in sorted(taken):
                yield module.path, item.line, f"{name} in {brick.name}: {advice}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ws.impure_attributes:
                yield module.path, node.lineno, f"{ast.unparse(node)} in {brick.name}: {advice}"


@rule
def no_text_spells_a_module_of_ours(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Vendoring rewrites no text, so names of modules are made from __package__ or __name__."""
    names = {*ws.declared, *ws.bricks}
    names |= {group for brick in ws.bricks.values() for group, _, _ in brick.plugins()}
    pattern = re.compile(rf"(?<![\w./-]){ws.namespace}\.({'|'.join(map(re.escape, names))})\b")
    for _, module in ws.modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Constant) or id(node) in module.docstrings:
                continue
            found = pattern.search(node.value) if isinstance(node.value, str) else None
            if found:
                says = f"text spells {found[0]}; derive it from __package__ or __name__"
                yield module.path, node.lineno, says


# Faces and tests


@rule
def all_is_sorted_and_true(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """__all__ is the brick's contract: each name once, in order, and really there."""
    for brick in ws.bricks.values():
        face = brick.module("__init__")
        if face is None:
            continue  # reported by bricks_are_complete
        if face.exported is None:
            yield face.path, 1, f"{brick.name} needs __all__, a list of plain strings"
            continue
        if list(face.exported) != sorted(set(face.exported)):
            right = ", ".join(map(repr, sorted(set(face.exported))))
            yield face.path, 1, f"__all__ is not in sorted() order, each once; write [{right}]"
        for name in sorted(set(face.exported) - face.bound):
            says = f"__all__ lists {name}, which nothing here binds; import it or strike it out"
            yield face.path, 1, says


@rule
def what_runs_is_tested(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """A module with something to run has a test module in the same place under tests/."""
    for brick, module in ws.modules():
        if not _has_something_to_run(module):
            continue
        folder = ws.root / "tests" / brick.path.relative_to(ws.root)
        *packages, stem = module.name.split(".")
        folder = folder.joinpath(*packages)
        names = [f"test_{stem.strip('_')}.py", f"test_{stem}.py"]
        if not any((folder / name).is_file() for name in names):
            wanted = _within(ws.root, folder / names[0])
            yield module.path, 1, f"{module.name} has something to run but no tests; write {wanted}"


def _has_something_to_run(module: Module) -> bool:
    """Whether there is a function with a body, or a call made for its effect at the top."""
    calls = (n for n in _top_level(module.tree.body) if isinstance(n, ast.Expr))
    if any(isinstance(node.value, ast.Call) for node in calls):
        return True
    return any(
        isinstance(node, Functions) and not all(map(_does_nothing, node.body))
        for node in ast.walk(module.tree)
    )


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _top_level(node.body)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


# Tiers and plug-ins


@rule
def cards_are_well_formed(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """brick.toml names a tier and an owner, and its own Protocols."""
    for brick in ws.bricks.values():
        path = brick.path / "brick.toml"
        if not path.is_file():
            continue  # reported by bricks_are_complete
        for key in brick.card.keys() - {"brick", "protocols", "plugins"}:
            yield (
                path,
                1,
                f"[{key}] means nothing; tables are brick, protocols, plugins.<group>.<name>",
            )
        about = brick.card.get("brick", {})
        if not str(about.get("owner", "")).strip():
            yield path, 1, "[brick] names no owner: the role that answers for it"
        if brick.kind == "base":
            if brick.tier is not None:
                yield path, 1, "a door has no tier; strike it out"
        elif brick.tier not in TIERS:
            yield path, 1, f"tier is {brick.tier!r}; it is one of {', '.join(reversed(TIERS))}"
        protocols = {
            node.name
            for module in brick.modules
            for node in module.classes()
            if any("Protocol" in ast.unparse(base) for base in node.bases)
        }
        for name, version in brick.card.get("protocols", {}).items():
            if name not in protocols:
                yield path, 1, f"[protocols] lists {name}, which is no Protocol of this brick"
            if not isinstance(version, int) or version < 1:
                yield path, 1, f"the version of {name} is {version!r}; versions are 1, 2, 3 …"


@rule
def tiers_are_carried_by_evidence(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Nobody writes a tier that the evidence does not carry."""
    for brick in ws.bricks.values():
        path, tiers = brick.path / "brick.toml", []
        for group, name, about in brick.plugins():
            what = f"plugins.{group}.{name}"
            if about.get("tier") not in TIERS:
                says = f"[{what}] has tier {about.get('tier')!r}; it is one of {', '.join(TIERS)}"
                yield path, 1, says
                continue
            tiers.append(about["tier"])
            evidence = about.get("evidence", [])
            if not evidence:
                yield path, 1, f"[{what}] has no evidence; list the tests that carry its tier"
            for test in evidence:
                if not _test_exists(ws.root, test):
                    yield path, 1, f"[{what}] leans on {test}, which does not exist"
            for key in about.keys() - {"tier", "evidence", "real", "needs", "about"}:
                says = f"[{what}] has {key}; keys are tier, evidence, real, needs, about"
                yield path, 1, says
        best = max(tiers, key=TIERS.index, default=brick.tier)
        if best != brick.tier and brick.kind == "component":
            says = f"tier is {brick.tier}, but that of its best plug-in is {best}; write that"
            yield path, 1, says


def _test_exists(root: Path, node_id: str) -> bool:
    file, *inside = node_id.partition("[")[0].split("::")
    path = root / file
    if not inside:
        return path.exists()
    if not path.is_file():
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for name in inside:
        for node in body:
            if isinstance(node, ast.ClassDef | Functions) and node.name == name:
                body = node.body
                break
            targets = node.targets if isinstance(node, ast.Assign) else ()
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                return True  # made by a call, such as as_tests(...); what is inside cannot be seen
        else:
            return False
    return True


@rule
def core_stands_on_core(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """Contrib may rot without harm: who may import whom by tier."""
    for brick, module, item, name in _inward(ws):
        other = ws.bricks.get(name)
        if other is None or other.tier not in DOORS_MAY_LATE:
            continue
        where = (module.path, item.line)
        if brick.kind == "base":
            if not item.late:
                says = f"{name} is {other.tier}: a door imports it in a function or for types only"
                yield *where, says
        elif brick.tier == "core":
            yield *where, f"{brick.name} is core and may not import {name}, which is {other.tier}"
        elif other.tier == "contrib" and not _one_family(brick.name, name):
            yield *where, f"{name} is contrib: only its own family and doors may import it"


def _one_family(one: str, other: str) -> bool:
    return one.partition("_")[0] == other.partition("_")[0]


@rule
def built_in_names_agree(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """The table BUILTIN in Python and the plug-ins in brick.toml say the same."""
    described = {
        (group, name): brick for brick in ws.bricks.values() for group, name, _ in brick.plugins()
    }
    tabled: set[tuple[str, str]] = set()
    for brick, module in ws.modules():
        for group, name, target in _built_in(brick, module):
            tabled.add((group, name))
            if (group, name) not in described:
                says = f"BUILTIN has {name}, but no brick.toml has [plugins.{group}.{name}]"
                yield module.path, 1, says
            if not _defined(ws, brick, target):
                says = f"BUILTIN has {name} at {target!r}, where nothing of that name is defined"
                yield module.path, 1, says
    for (group, name), brick in described.items():
        if (group, name) not in tabled:
            says = f"[plugins.{group}.{name}] is in no BUILTIN table, so nobody can ask for it"
            yield brick.path / "brick.toml", 1, says


def _built_in(brick: Brick, module: Module) -> Iterator[tuple[str, str, str]]:
    """The rows of a module's BUILTIN: {name: target}, or {group: {name: target}}."""
    groups = [*brick.card.get("plugins", {}), brick.name]
    for key, value in (module.dict_literal("BUILTIN") or {}).items():
        if isinstance(value, ast.Dict):
            for name, target in zip(value.keys, value.values, strict=True):
                if isinstance(name, ast.Constant) and isinstance(target, ast.Constant):
                    yield key, str(name.value), str(target.value)
        elif isinstance(value, ast.Constant):
            yield groups[0], key, str(value.value)


def _defined(ws: Workspace, brick: Brick, target: str) -> bool:
    """Whether ``.module:Name`` (of this brick) or ``..brick:Name`` (of another) exists."""
    where, _, name = target.partition(":")
    if where.startswith(".."):
        other, _, inside = where[2:].partition(".")
        found = ws.bricks[other].module(inside or "__init__") if other in ws.bricks else None
    else:
        found = brick.module(where.lstrip(".") or "__init__")
    return found is not None and name in found.bound


# Distributions


@rule
def projects_depend_on_what_their_bricks_use(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """A distribution's dependencies are the union of its bricks' libraries.

    What contrib bricks alone use may be an extra instead.
    """
    for project in ws.projects:
        names = {Path(path).name for path in project.bricks}
        yield from _union(ws, project, names)
        for path, target in project.bricks.items():
            name = Path(path).name
            if not (project.path.parent / path).is_dir():
                yield project.path, 1, f"{path} is no brick; strike it out or correct it"
            elif target != f"{ws.namespace}/{name}":
                yield project.path, 1, f"{path} must be installed as {ws.namespace}/{name}"
        for brick, _, item, other in _inward(ws):
            if brick.name in names and other not in names and other in ws.bricks:
                says = f"{brick.name} imports {item.module}, but brick {other} is not in the list"
                yield project.path, 1, says
    if ws.development is not None:
        yield from _union(ws, ws.development, set(ws.declared))


def _union(ws: Workspace, project: Project, names: set[str]) -> Iterator[tuple[Path, int, str]]:
    needed = {lib for name in names & ws.declared.keys() for lib in ws.declared[name].libraries}
    firm = {
        library
        for name in names & ws.declared.keys()
        if name not in ws.bricks or ws.bricks[name].tier != "contrib"
        for library in ws.declared[name].libraries
    }
    for library in sorted(needed - project.dependencies - (project.extras - firm)):
        yield project.path, 1, f"its bricks use {library}; add it to the dependencies"
    for library in sorted(project.dependencies - needed):
        yield project.path, 1, f"none of its bricks uses {library}; drop the dependency"


@rule
def constraints_pin_what_is_used(ws: Workspace) -> Iterator[tuple[Path, int, str]]:
    """constraints.txt pins each library exactly, and names no host."""
    path = ws.root / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pinned = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if re.fullmatch(r"[\w.-]+==[\w.!+-]+", line.strip()):
            pinned.add(distribution(line))
        else:
            yield path, number, f"{line!r} is no pin; write name==version, nothing else"
    for library in sorted({lib for row in ws.declared.values() for lib in row.libraries} - pinned):
        yield path, 1, f"{library} is not pinned"


def _bases(ws: Workspace) -> set[str]:
    return {name for name, row in ws.declared.items() if row.row == ws.rows[-1]}
