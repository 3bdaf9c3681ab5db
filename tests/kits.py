"""Conformance kits as pytest classes: ``TestMine = as_tests(MEMO, InMemoryMemo)``."""

from collections.abc import Callable
from typing import Any

import pytest

from lamina.conformance import Clause, ClauseBroken, Kit, check


def as_tests(kit: Kit, factory: Callable[[], Any]) -> type:
    """A class with one test for each clause, each on a fresh plug-in of the factory."""

    @pytest.mark.parametrize("clause", kit.clauses, ids=[one.id for one in kit.clauses])
    def test_the_clause_is_kept(self: object, clause: Clause) -> None:
        check(clause, factory)

    return type(f"Test{kit.protocol}", (), {"test_the_clause_is_kept": test_the_clause_is_kept})


def assert_each_clause_can_fail(kit: Kit, broken: dict[str, Callable[[], Any]]) -> None:
    """Try each clause on a plug-in that breaks it, named by the clause's id."""
    assert broken.keys() == {one.id for one in kit.clauses}
    for one in kit.clauses:
        with pytest.raises(ClauseBroken) as caught:
            check(one, broken[one.id])
        assert caught.value.clause == one.id
        assert one.says in str(caught.value)


def what_is_found(kit: Kit, clause: str, factory: Callable[[], Any]) -> str:
    """What a clause of the kit, which must be broken, says it has found instead."""
    (one,) = [one for one in kit.clauses if one.id == clause]
    with pytest.raises(ClauseBroken) as caught:
        check(one, factory)
    return caught.value.found
