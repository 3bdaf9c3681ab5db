import subprocess
from pathlib import Path

from lamina.demo.source import default_roots, find_sources, in_words


def tree(root: Path) -> Path:
    for name, text in {
        "single.py": "import os\n",
        "pack/__init__.py": "",
        "pack/one.py": "x = 1\ny = 2\n",
        "pack/tests/test_one.py": "def test(): pass\n",
        "pack/notes.txt": "no source\n",
        "odd name/a b.py": "x = 'é'\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "link.py").symlink_to(root / "single.py")
    return root


def test_what_is_found_is_what_find_lists(tmp_path: Path) -> None:
    root = tree(tmp_path)
    said = subprocess.run(
        ["find", str(root), "-type", "f", "-name", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = find_sources([root], leave_out_tests=False)
    assert [source.path for source in found] == sorted(said.stdout.splitlines())


def test_a_module_is_named_by_its_place(tmp_path: Path) -> None:
    found = find_sources([tree(tmp_path)], leave_out_tests=True)
    names = {(source.module, source.package) for source in found}
    assert names == {
        ("single", "single"),
        ("pack", "pack"),
        ("pack.one", "pack"),
        ("odd name.a b", "odd name"),
    }


def test_a_root_given_twice_counts_once(tmp_path: Path) -> None:
    root = tree(tmp_path)
    assert len(find_sources([root, root], leave_out_tests=False)) == 5


def test_the_standard_library_is_among_the_default_roots() -> None:
    assert any((root / "argparse.py").is_file() for root in default_roots())


def test_it_is_said_what_was_left_out() -> None:
    assert in_words([Path("/a"), Path("/b")], leave_out_tests=False) == "/a, /b"
    assert "/a; without directories named __pycache__" in in_words(
        [Path("/a")], leave_out_tests=True
    )
