"""The rules of the house hold in this workspace."""

from pathlib import Path

import pytest

from tests.architecture import rules, tree

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def workspace() -> tree.Workspace:
    return tree.read(ROOT)


@pytest.mark.parametrize("rule", rules.RULES)
def test_the_rule_holds(workspace: tree.Workspace, rule: str) -> None:
    found = rules.problems(workspace, rule)
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)
