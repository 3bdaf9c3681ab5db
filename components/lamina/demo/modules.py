"""What one module looks like: its size, its functions and how complex they are, its imports."""

import ast
import threading
import warnings
from typing import NamedTuple

from lamina.vocabulary import File

__all__ = ["FunctionFacts", "ModuleFacts", "UnreadableModule", "read_module"]


class UnreadableModule(ValueError):
    """A file is not what Python can read: not UTF-8, or no Python. Again will not help."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class FunctionFacts(NamedTuple):
    """A function, where it begins, and the number of ways through it."""

    name: str
    line: int
    complexity: int


class ModuleFacts(NamedTuple):
    """What there is to say about one module."""

    module: str
    package: str
    path: str
    size: int
    """Bytes."""
    lines: int
    """Line feeds, as ``wc -l`` counts them."""
    functions: tuple[FunctionFacts, ...]
    imports: tuple[str, ...]
    """Dotted names, each once, sorted; relative ones are resolved."""


_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.IfExp,
    ast.Assert,
    ast.match_case,
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# The parser warns of odd escapes, and the list of warning filters belongs to the whole process.
_ONE_PARSER = threading.Lock()


def read_module(file: File, module: str, package: str, stamp: tuple[int, int]) -> ModuleFacts:
    """Read and parse one file. ``stamp`` (size, time) only tells versions of it apart.

    Raises:
        UnreadableModule: It is not UTF-8 or does not parse; again will not help.
    """
    path = file.filepath
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise UnreadableModule(path, error.strerror or str(error)) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise UnreadableModule(path, reason) from None
    try:
        with _ONE_PARSER, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise UnreadableModule(path, f"line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableModule(path, f"the parser gave up: {error}") from None
    functions, imports = _look(tree, module, path.endswith("__init__.py"))
    return ModuleFacts(
        module, package, path, len(data), data.count(b"\n"), functions, tuple(sorted(imports))
    )


def _look(
    tree: ast.Module, module: str, is_package: bool
) -> tuple[tuple[FunctionFacts, ...], set[str]]:
    """One walk over the tree; each function counts its own branches, not its inner ones'."""
    counts: list[int] = []
    named: list[tuple[str, int]] = []
    imports: set[str] = set()
    todo: list[tuple[ast.AST, str, int]] = [(tree, "", -1)]
    while todo:
        node, prefix, owner = todo.pop()
        if isinstance(node, _FUNCTIONS):
            prefix = f"{prefix}{node.name}"
            owner = len(counts)
            counts.append(1)
            named.append((prefix, node.lineno))
            prefix += "."
        elif isinstance(node, ast.ClassDef):
            prefix, owner = f"{prefix}{node.name}.", -1
        elif isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.add(_absolute(node, module, is_package))
        elif owner >= 0:
            counts[owner] += _ways(node)
        todo.extend((child, prefix, owner) for child in ast.iter_child_nodes(node))
    facts = [FunctionFacts(*place, count) for place, count in zip(named, counts, strict=True)]
    facts.sort(key=lambda fact: fact.line)
    imports.discard("")
    return tuple(facts), imports


def _ways(node: ast.AST) -> int:
    """How many ways through its function this node adds."""
    if isinstance(node, _BRANCHES):
        return 1
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return 0


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    here = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*here, *([node.module] if node.module else [])])
