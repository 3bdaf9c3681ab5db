"""Each rule is broken on purpose, and says so.

The sketch is a workspace in order; every test breaks one thing in it.
"""

from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.sketch import Sketch, draw

WORDS = "components/lamina/words/"
SHOPS = "components/lamina/shops/"
FAR = "components/lamina/shops_far/"
WIRE = "components/lamina/wire/"
DOOR = "bases/lamina/door/"
TABLE = "workspace.toml"
FLOW = "projects/flow/pyproject.toml"


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    return draw(tmp_path)


# (rule, file, text put at its end or old text and new, what the message says)
ADDED = [
    # imports
    ("imports_go_down", WORDS + "word.py", "from lamina.shops import Shop", "may not import shops"),
    ("imports_go_down", WORDS + "word.py", "from ..shops import Shop", "may not import shops"),
    ("imports_go_down", WORDS + "word.py", "from .. import shops", "may not import shops"),
    ("imports_go_down", WORDS + "word.py", "import lamina.wire", "may not import wire"),
    (
        "imports_go_down",
        WORDS + "word.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lamina.wire import X",
        "may not import wire",
    ),
    (
        "imports_go_down",
        WORDS + "word.py",
        "def f():\n    from lamina.wire import X",
        "may not import wire",
    ),
    (
        "imports_go_down",
        SHOPS + "corner.py",
        "from lamina.shops_far import F",
        "it stands in row 2",
    ),
    ("imports_go_down", WIRE + "socket.py", "from lamina.door import x", "may not import door"),
    ("imports_go_down", DOOR + "__init__.py", "from lamina.gate import x", "bases import no base"),
    ("imports_go_down", DOOR + "__init__.py", "from lamina.moon import x", "knows no brick moon"),
    (
        "imports_stop_at_the_door",
        WIRE + "machine.py",
        "from lamina.words.word import Word",
        "lamina.words.word is inside words",
    ),
    (
        "imports_stop_at_the_door",
        WIRE + "machine.py",
        "from ..words.word import Word",
        "lamina.words.word is inside words",
    ),
    (
        "imports_stop_at_the_door",
        WIRE + "machine.py",
        "from lamina.words import word",
        "does not export word",
    ),
    ("imports_can_be_vendored", WIRE + "machine.py", "import lamina.words", "cannot rewrite"),
    ("imports_can_be_vendored", WIRE + "machine.py", "import lamina", "cannot rewrite"),
    ("imports_can_be_vendored", WIRE + "machine.py", "from lamina import words", "cannot rewrite"),
    ("imports_can_be_vendored", WIRE + "machine.py", "from lamina.words import *", "not *"),
    # libraries
    (
        "libraries_stay_in_their_rooms",
        SHOPS + "corner.py",
        "import attrs",
        "does not declare attrs",
    ),
    ("libraries_stay_in_their_rooms", SHOPS + "corner.py", "import numpy", "imported as numpy"),
    ("libraries_stay_in_their_rooms", WIRE + "machine.py", "import zmq", "in wire.socket only"),
    (
        "libraries_stay_in_their_rooms",
        SHOPS + "corner.py",
        "def f():\n    from zmq.asyncio import Poller",
        "in wire.socket only",
    ),
    # purity
    ("pure_modules_stay_pure", WORDS + "word.py", "from time import monotonic", "time in words"),
    ("pure_modules_stay_pure", WIRE + "machine.py", "import zmq", "zmq in wire"),
    (
        "pure_modules_stay_pure",
        WORDS + "word.py",
        "import os\nX = os.environ['X']",
        "os.environ in",
    ),
    ("pure_modules_stay_pure", WORDS + "word.py", "from os import getenv", "os.getenv in words"),
    # names and text
    (
        "no_text_spells_a_module_of_ours",
        WIRE + "machine.py",
        "ARGS = ['-m', 'lamina.door']",
        "text spells lamina.door",
    ),
    (
        "no_text_spells_a_module_of_ours",
        WIRE + "machine.py",
        "def f(x): return f'lamina.shops:{x}'",
        "text spells lamina.shops",
    ),
    # tests
    ("what_runs_is_tested", WORDS + "word.py", "def f(): return 1", "words/test_word.py"),
    ("what_runs_is_tested", WORDS + "word.py", "async def f(): return 1", "words/test_word.py"),
    ("what_runs_is_tested", WIRE + "__init__.py", "def main(): return 1", "wire/test_init.py"),
    ("what_runs_is_tested", WIRE + "machine.py", "if 1:\n    print()", "wire/test_machine.py"),
    # tiers
    (
        "core_stands_on_core",
        WIRE + "machine.py",
        "def f():\n    from lamina.shops_far import FarShop",
        "wire is core and may not import shops_far, which is contrib",
    ),
    (
        "core_stands_on_core",
        DOOR + "__init__.py",
        "from lamina.shops_far import FarShop",
        "in a function or for types only",
    ),
    ("cards_are_well_formed", SHOPS + "brick.toml", "[extra]", "[extra] means nothing"),
    ("constraints_pin_what_is_used", "constraints.txt", "rich>=3", "'rich>=3' is no pin"),
    ("constraints_pin_what_is_used", "constraints.txt", "--index x", "'--index x' is no pin"),
]

SWAPPED = [
    # the table
    (
        "bricks_are_declared",
        TABLE,
        'gate = { row = "4", libraries = [] }',
        "",
        "gate is not declared",
    ),
    ("bricks_are_declared", TABLE, "gate = {", "moon = {", "moon is declared but does not exist"),
    ("bricks_are_declared", TABLE, 'words = { row = "1"', 'words = { row = "9"', "in row '9'"),
    ("bricks_are_declared", TABLE, 'above = ["shops"]', 'above = ["wire"]', "no brick of its row"),
    ("bricks_are_declared", TABLE, 'gate = { row = "4"', 'gate = { row = "3"', "only bases"),
    (
        "bricks_are_declared",
        TABLE,
        'pure = ["machine"]',
        'pure = ["engine"]',
        "has none of that name",
    ),
    ("bricks_are_declared", TABLE, 'libraries = ["pyzmq"]', 'libraries = ["x"]', "wire uses x"),
    (
        "arrows_have_no_cycle",
        TABLE,
        'shops = { row = "2", libraries = []',
        'shops = { row = "2", libraries = [], above = ["shops_far"]',
        "shops is above itself",
    ),
    (
        "libraries_stay_in_their_rooms",
        TABLE,
        'shops = { row = "2", libraries = []',
        'shops = { row = "2", libraries = ["attrs"]',
        "shops declares attrs but never imports it",
    ),
    # faces
    (
        "all_is_sorted_and_true",
        SHOPS + "__init__.py",
        '"BUILTIN", "Shop"',
        '"Shop", "BUILTIN"',
        "sort",
    ),
    (
        "all_is_sorted_and_true",
        SHOPS + "__init__.py",
        '["BUILTIN",',
        '["BUILTIN", "BUILTIN",',
        "sort",
    ),
    ("all_is_sorted_and_true", SHOPS + "__init__.py", '"Shop"]', '"Shop", "Tent"]', "lists Tent"),
    ("all_is_sorted_and_true", DOOR + "__init__.py", '["late"]', '["later"]', "lists later"),
    ("all_is_sorted_and_true", DOOR + "__init__.py", "__all__", "_all", "door needs __all__"),
    # tiers and plug-ins
    ("cards_are_well_formed", SHOPS + "brick.toml", '"grocers"', '""', "names no owner"),
    ("cards_are_well_formed", WORDS + "brick.toml", '"core"', '"gold"', "tier is 'gold'"),
    ("cards_are_well_formed", SHOPS + "brick.toml", "Shop = 1", "Tent = 1", "lists Tent"),
    ("cards_are_well_formed", SHOPS + "brick.toml", "Shop = 1", "Shop = 0", "versions are 1, 2, 3"),
    ("cards_are_well_formed", DOOR + "brick.toml", "owner", 'tier = "core"\nowner', "no tier"),
    (
        "tiers_are_carried_by_evidence",
        SHOPS + "brick.toml",
        "::test_sells",
        "::test_x",
        "not exist",
    ),
    (
        "tiers_are_carried_by_evidence",
        SHOPS + "brick.toml",
        "test_corner.py",
        "test_x.py",
        "not exist",
    ),
    ("tiers_are_carried_by_evidence", FAR + "brick.toml", "evidence = [", "x = [", "no evidence"),
    (
        "tiers_are_carried_by_evidence",
        FAR + "brick.toml",
        'shops.far]\ntier = "contrib"',
        'shops.far]\ntier = "core"',
        "tier is contrib, but that of its best plug-in is core",
    ),
    ("built_in_names_agree", SHOPS + "tables.py", '"corner":', '"edge":', "BUILTIN has edge"),
    ("built_in_names_agree", SHOPS + "tables.py", '"corner":', '"edge":', "is in no BUILTIN table"),
    ("built_in_names_agree", SHOPS + "tables.py", ":CornerShop", ":Tent", "nothing of that name"),
    ("built_in_names_agree", SHOPS + "tables.py", "..shops_far", "..moon", "nothing of that name"),
    # distributions
    ("projects_depend_on_what_their_bricks_use", FLOW, ', "PyZMQ"', "", "use pyzmq; add it"),
    ("projects_depend_on_what_their_bricks_use", FLOW, '"PyZMQ"', '"PyZMQ", "rich"', "uses rich"),
    (
        "projects_depend_on_what_their_bricks_use",
        FLOW,
        ', "PyZMQ"]',
        ']\n    [project.optional-dependencies]\n    wire = ["pyzmq"]',
        "use pyzmq; add it",
    ),
    (
        "projects_depend_on_what_their_bricks_use",
        FLOW,
        '"../../components/lamina/words" = "lamina/words"',
        "",
        "shops imports lamina.words, but brick words is not in the list",
    ),
    ("projects_depend_on_what_their_bricks_use", FLOW, "lamina/gate", "lamina/moon", "is no brick"),
    (
        "projects_depend_on_what_their_bricks_use",
        FLOW,
        '= "lamina/gate"',
        '= "acme/gate"',
        "must be installed as lamina/gate",
    ),
    (
        "projects_depend_on_what_their_bricks_use",
        "pyproject.toml",
        '"attrs", ',
        "",
        "pyproject.toml: its bricks use attrs",
    ),
    ("constraints_pin_what_is_used", "constraints.txt", "attrs==1.0", "", "attrs is not pinned"),
]


def test_the_sketch_is_in_order(sketch: Sketch) -> None:
    assert sketch.problems() == []


@pytest.mark.parametrize("rule, path, text, says", ADDED)
def test_more_than_is_allowed_is_reported(
    sketch: Sketch, rule: str, path: str, text: str, says: str
) -> None:
    sketch.add(path, text + "\n")
    assert any(says in line for line in sketch.problems(rule)), sketch.problems()


@pytest.mark.parametrize("rule, path, old, new, says", SWAPPED)
def test_other_than_is_allowed_is_reported(
    sketch: Sketch, rule: str, path: str, old: str, new: str, says: str
) -> None:
    sketch.swap(path, old, new)
    assert any(says in line for line in sketch.problems(rule)), sketch.problems()


@pytest.mark.parametrize("name", ["brick.toml", "py.typed", "__init__.py"])
def test_a_brick_without_one_of_its_files_is_reported(sketch: Sketch, name: str) -> None:
    sketch.remove(WIRE + name)
    assert any(f"wire lacks {name}" in line for line in sketch.problems("bricks_are_complete"))


@pytest.mark.parametrize("folder", ["components", "bases"])
def test_an_init_in_the_namespace_is_reported(sketch: Sketch, folder: str) -> None:
    sketch.write(f"{folder}/lamina/__init__.py", "")
    [problem] = sketch.problems("the_namespace_stays_open")
    assert "remove this file" in problem


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "base"])
def test_a_module_whose_name_says_nothing_is_reported(sketch: Sketch, name: str) -> None:
    sketch.write(f"{WIRE}{name}.py", "")
    sketch.write(f"{WIRE}{name}/inner.py", "")
    assert len(sketch.problems("modules_are_named_for_what_they_hold")) == 2


def test_supported_may_not_import_contrib_of_another_family(sketch: Sketch) -> None:
    sketch.swap(WIRE + "brick.toml", "core", "supported")
    sketch.add(WIRE + "machine.py", "from lamina.shops_far import FarShop\n")
    [problem] = sketch.problems("core_stands_on_core")
    assert "only its own family and doors may import it" in problem


def test_a_door_may_import_contrib_late_or_for_types(sketch: Sketch) -> None:
    sketch.add(
        DOOR + "__init__.py",
        """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from lamina.shops_far import FarShop
        def __getattr__(name):
            from lamina.shops_far import FarShop
        """,
    )
    assert sketch.problems("core_stands_on_core") == []
    assert sketch.problems("imports_go_down") == []


def test_docstrings_may_name_our_modules(sketch: Sketch) -> None:
    sketch.write(
        WIRE + "machine.py", '"""Talks to lamina.door."""\nX = 1\n"""See lamina.door."""\n'
    )
    assert sketch.problems("no_text_spells_a_module_of_ours") == []


def test_tests_of_packages_inside_a_brick_lie_in_the_same_place(sketch: Sketch) -> None:
    sketch.write(WIRE + "frames/_codec.py", "def f(): return 1\n")
    [problem] = sketch.problems("what_runs_is_tested")
    assert "tests/components/lamina/wire/frames/test_codec.py" in problem
    sketch.write("tests/components/lamina/wire/frames/test_codec.py", "")
    assert sketch.problems("what_runs_is_tested") == []


def test_protocols_constants_and_plain_values_need_no_tests(sketch: Sketch) -> None:
    sketch.write(
        WIRE + "machine.py",
        '''
        from typing import Protocol, overload
        LIMIT = 3
        class Shop(Protocol):
            """What a shop does."""
            def sell(self) -> None:
                """Sell."""
                ...
            def close(self) -> None:
                raise NotImplementedError("soon")
        ''',
    )
    assert sketch.problems("what_runs_is_tested") == []


def test_one_brick_may_have_plugins_of_two_groups(sketch: Sketch) -> None:
    sketch.write(
        SHOPS + "tables.py",
        """
        BUILTIN = {
            "shops": {"corner": ".corner:CornerShop", "far": "..shops_far:FarShop"},
            "tents": {"red": ".corner:CornerShop"},
        }
        """,
    )
    [problem] = sketch.problems("built_in_names_agree")
    assert "no brick.toml has [plugins.tents.red]" in problem


def test_evidence_may_lie_in_a_class_or_be_made_by_a_call(sketch: Sketch) -> None:
    test = "tests/components/lamina/shops/test_corner.py"
    sketch.write(test, "class TestShop:\n    def test_sells(self): ...\nTestKit = kit()\n")
    for node in ("TestShop::test_sells", "TestKit", "TestKit::test_any", "TestShop"):
        sketch.swap(SHOPS + "brick.toml", "::test_sells", f"::{node}")
        assert sketch.problems("tiers_are_carried_by_evidence") == []
        sketch.swap(SHOPS + "brick.toml", f"::{node}", "::test_sells")


def test_every_rule_is_broken_here_at_least_once() -> None:
    singly = {
        "bricks_are_complete",
        "the_namespace_stays_open",
        "modules_are_named_for_what_they_hold",
    }
    assert {row[0] for row in ADDED + SWAPPED} | singly == rules.RULES.keys()
