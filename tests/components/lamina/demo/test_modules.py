import pickle
from pathlib import Path

import pytest

from lamina.demo.modules import ModuleFacts, UnreadableModule, read_module
from lamina.vocabulary import File


def read(path: Path, source: str | bytes, module: str = "pack.here") -> ModuleFacts:
    path.write_bytes(source.encode() if isinstance(source, str) else source)
    return read_module(File(path), module, module.partition(".")[0], (0, 0))


@pytest.mark.parametrize(
    "body, complexity",
    [
        ("return 1", 1),
        ("return 1 if x else 2", 2),
        ("return x and x and x", 3),
        ("return [y for y in x if y if not y]", 4),
        ("assert x", 2),
        ("for y in x:\n  while y: pass", 3),
        ("try: pass\n except OSError: pass\n except ValueError: pass", 3),
        ("match x:\n  case 1: pass\n  case _: pass", 3),
        ("def inner():\n  if x: pass\n return inner", 1),
    ],
)
def test_complexity_counts_the_ways_through_a_function(
    tmp_path: Path, body: str, complexity: int
) -> None:
    facts = read(tmp_path / "m.py", f"def f(x):\n {body}\n")
    assert facts.functions[0].complexity == complexity


def test_functions_have_qualified_names_and_lines(tmp_path: Path) -> None:
    source = "class C:\n  def m(self):\n    def inner(): pass\nasync def g(): pass\n"
    facts = read(tmp_path / "m.py", source)
    assert [(one.name, one.line) for one in facts.functions] == [
        ("C.m", 2),
        ("C.m.inner", 3),
        ("g", 4),
    ]


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    source = "import a.b, c\nfrom . import x\nfrom ..up import y\nfrom .side import z\n"
    facts = read(tmp_path / "m.py", source, "one.two.three")
    assert facts.imports == ("a.b", "c", "one.two", "one.two.side", "one.up")


def test_a_package_is_its_own_parent(tmp_path: Path) -> None:
    facts = read(tmp_path / "__init__.py", "from .part import x\n", "pack")
    assert facts.imports == ("pack.part",)


def test_size_and_lines_are_those_of_the_bytes(tmp_path: Path) -> None:
    facts = read(tmp_path / "m.py", "x = 'é'\r\ny = 1\n\nz = 2".encode())
    assert (facts.size, facts.lines) == (22, 3)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert read(tmp_path / "m.py", b"\xef\xbb\xbfx = 1\n").lines == 1


@pytest.mark.parametrize(
    "source, reason",
    [
        (b"x = '\xe9'\n", "not UTF-8: byte 0xe9 at offset 5"),
        (b"def f(:\n", "line 1: "),
        (b"x = 1\0\n", "null bytes"),
    ],
)
def test_what_python_cannot_read_says_why(tmp_path: Path, source: bytes, reason: str) -> None:
    with pytest.raises(UnreadableModule) as caught:
        read(tmp_path / "m.py", source)
    assert reason in caught.value.reason
    assert str(tmp_path / "m.py") in str(pickle.loads(pickle.dumps(caught.value)))


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModule, match="No such file"):
        read_module(File(tmp_path / "gone.py"), "gone", "gone", (0, 0))


def test_a_warning_of_the_parser_is_no_fault(tmp_path: Path) -> None:
    assert read(tmp_path / "m.py", "x = '\\d'\n").functions == ()
