"""Which files there are to look at, and what their modules are called."""

import os
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Source", "default_roots", "find_sources", "in_words"]

_NOT_LIBRARY = frozenset(
    {"__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests"}
)


class Source(NamedTuple):
    """A file of Python source. ``modified`` is in nanoseconds since the epoch."""

    path: str
    module: str
    package: str
    """The first part of the module's name: what the demo groups by."""
    size: int
    """Bytes."""
    modified: int


def default_roots() -> list[Path]:
    """The standard library, then where this environment's packages are; each only once."""
    paths = sysconfig.get_paths()
    roots: list[Path] = []
    for key in ("stdlib", "purelib", "platlib"):
        root = Path(paths[key]).resolve()
        if root.is_dir() and root not in roots:
            roots.append(root)
    return roots


def in_words(roots: Sequence[Path], *, leave_out_tests: bool) -> str:
    """What was looked at, for whoever wants to count again."""
    said = ", ".join(str(root) for root in roots)
    if not leave_out_tests:
        return said
    return f"{said}; without directories named {', '.join(sorted(_NOT_LIBRARY))}"


def find_sources(roots: Sequence[Path], *, leave_out_tests: bool) -> list[Source]:
    """Every ``*.py`` file below the roots, as ``find -type f`` would list them, sorted.

    Symbolic links are not followed. ``leave_out_tests`` leaves out directories of tests and,
    because each root is searched by itself, installed packages below the standard library.
    """
    found: dict[str, Source] = {}
    for root in roots:
        for path in _walk(root, _NOT_LIBRARY if leave_out_tests else frozenset()):
            if path not in found:
                about = os.stat(path, follow_symlinks=False)
                module = _module_name(Path(path).relative_to(root))
                package = module.partition(".")[0]
                found[path] = Source(path, module, package, about.st_size, about.st_mtime_ns)
    return [found[path] for path in sorted(found)]


def _walk(root: Path, left_out: frozenset[str]) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in left_out]
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith(".py") and not os.path.islink(path) and os.path.isfile(path):
                yield path


def _module_name(relative: Path) -> str:
    parts = list(relative.with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)
