"""A small workspace under a temporary folder, in order until a test breaks one thing in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.architecture import rules, tree

WORKSPACE = """
    [tool.polylith]
    namespace = "lamina"

    [tool.arch]
    rows = ["1", "2", "3", "4"]
    banned_module_names = ["utils", "common", "helpers", "base"]

    [tool.arch.purity]
    modules = ["time", "zmq"]
    attributes = ["os.environ", "os.getenv"]

    [tool.arch.libraries]
    attrs = { imports = ["attrs"] }
    pyzmq = { imports = ["zmq"], room = "wire.socket" }

    [tool.arch.bricks]
    words = { row = "1", libraries = ["attrs"], pure = true }
    shops = { row = "2", libraries = [] }
    shops_far = { row = "2", libraries = [], above = ["shops"] }
    wire = { row = "3", libraries = ["pyzmq"], pure = ["machine"] }
    door = { row = "4", libraries = [] }
    gate = { row = "4", libraries = [] }
"""

PROJECT = """
    [project]
    name = "lamina-flow"
    dependencies = ["attrs>=23", "PyZMQ"]

    [tool.polylith.bricks]
    "../../components/lamina/words" = "lamina/words"
    "../../components/lamina/shops" = "lamina/shops"
    "../../components/lamina/shops_far" = "lamina/shops_far"
    "../../components/lamina/wire" = "lamina/wire"
    "../../bases/lamina/door" = "lamina/door"
    "../../bases/lamina/gate" = "lamina/gate"
"""

FILES = {
    "workspace.toml": WORKSPACE,
    "constraints.txt": "# pins\nattrs==1.0\npyzmq==2.0\n",
    "pyproject.toml": '[project]\nname = "ws"\ndependencies = ["attrs", "pyzmq"]\n',
    "projects/flow/pyproject.toml": PROJECT,
    "components/lamina/words/__init__.py": """
        from lamina.words.word import Word

        __all__ = ["Word"]
    """,
    "components/lamina/words/word.py": """
        import attrs

        @attrs.frozen
        class Word:
            text: str
    """,
    "components/lamina/shops/__init__.py": """
        from lamina.shops.protocol import Shop
        from lamina.shops.tables import BUILTIN

        __all__ = ["BUILTIN", "Shop"]
    """,
    "components/lamina/shops/protocol.py": """
        from typing import Protocol

        from lamina.words import Word

        class Shop(Protocol):
            def sell(self) -> Word: ...
    """,
    "components/lamina/shops/corner.py": """
        class CornerShop:
            def sell(self):
                return None
    """,
    "components/lamina/shops/tables.py": """
        BUILTIN = {"corner": ".corner:CornerShop", "far": "..shops_far:FarShop"}
    """,
    "components/lamina/shops/brick.toml": """
        [brick]
        tier = "core"
        owner = "grocers"

        [protocols]
        Shop = 1

        [plugins.shops.corner]
        tier = "core"
        evidence = ["tests/components/lamina/shops/test_corner.py::test_sells"]
    """,
    "tests/components/lamina/shops/test_corner.py": "def test_sells(): assert True\n",
    "components/lamina/shops_far/__init__.py": """
        from lamina.shops import Shop

        __all__ = ["FarShop"]

        class FarShop:
            far: bool = True
    """,
    "components/lamina/shops_far/brick.toml": """
        [brick]
        tier = "contrib"
        owner = "grocers"

        [plugins.shops.far]
        tier = "contrib"
        evidence = ["tests/components/lamina/shops/test_corner.py"]
    """,
    "components/lamina/wire/__init__.py": "__all__ = []\n",
    "components/lamina/wire/socket.py": "import zmq\n",
    "components/lamina/wire/machine.py": "LIMIT = 3\n",
    "bases/lamina/door/__init__.py": """
        __all__ = ["late"]

        _WHERE = {"late": "..words"}
    """,
    "bases/lamina/gate/__init__.py": "__all__ = []\n",
}


@dataclass(frozen=True)
class Sketch:
    """The workspace at ``root``."""

    root: Path

    def write(self, path: str, text: str) -> None:
        """Write a file, in place of what was there."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")

    def add(self, path: str, text: str) -> None:
        """Write more at the end of a file."""
        file = self.root / path
        self.write(path, file.read_text(encoding="utf-8") + dedent(text))

    def swap(self, path: str, old: str, new: str) -> None:
        """Put other text in place of some that is there."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} does not hold {old!r}"
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        """Take a file away."""
        (self.root / path).unlink()

    def problems(self, rule: str | None = None) -> list[str]:
        """What one rule, or each, says of it."""
        found = rules.problems(tree.read(self.root), *([rule] if rule else []))
        return [f"{problem.path}: {problem.says}" for problem in found]


def draw(root: Path) -> Sketch:
    """Draw it, in order."""
    sketch = Sketch(root)
    for path, text in FILES.items():
        sketch.write(path, text)
    for name in ("words", "wire"):
        card = '[brick]\ntier = "core"\nowner = "all"\n'
        sketch.write(f"components/lamina/{name}/brick.toml", card)
    for name in ("door", "gate"):
        sketch.write(f"bases/lamina/{name}/brick.toml", '[brick]\nowner = "all"\n')
    for folder in [*root.glob("components/lamina/*/"), *root.glob("bases/lamina/*/")]:
        (folder / "py.typed").touch()
    return sketch
