import pickle

import pytest

from lamina.conformance import ClauseBroken, Kit, check, clause, expect, run
from lamina.vocabulary import ConfigError


@clause("number.positive", since=2)
def positive(number: int) -> None:
    """A number is positive."""
    expect(number > 0, else_say=f"{number}")


@clause("number.divides")
def divides(number: int) -> None:
    """Ten can be divided by it."""
    expect(10 // number)


NUMBER = Kit("number", "Number", 2, (positive, divides))


def test_a_clause_knows_its_id_its_version_and_its_sentence() -> None:
    assert (positive.id, positive.since, positive.says) == (
        "number.positive",
        2,
        "A number is positive.",
    )


def test_a_clause_that_is_kept_says_nothing() -> None:
    check(positive, lambda: 1)


def test_a_broken_clause_says_what_was_promised_and_what_was_found() -> None:
    with pytest.raises(ClauseBroken) as caught:
        check(positive, lambda: -3)
    assert str(caught.value) == ("number.positive is broken: A number is positive.; found: -3")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_exception_breaks_the_clause_and_is_its_cause() -> None:
    with pytest.raises(ClauseBroken, match="it raised ZeroDivisionError") as caught:
        check(divides, lambda: 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_expectation_without_words_is_told_by_the_clause() -> None:
    with pytest.raises(ClauseBroken, match=r"Ten can be divided by it\.$"):
        check(divides, lambda: 11)


def test_a_clause_that_is_broken_by_another_clause_keeps_that_name() -> None:
    @clause("outer")
    def outer(number: int) -> None:
        """The inner one holds."""
        check(positive, lambda: number)

    with pytest.raises(ClauseBroken, match=r"number\.positive"):
        check(outer, lambda: 0)


def test_a_clause_without_a_sentence_is_refused() -> None:
    with pytest.raises(ConfigError, match="no docstring"):

        @clause("silent")
        def silent(number: int) -> None:
            expect(number)


def test_a_report_tells_of_every_clause() -> None:
    good, bad = run(NUMBER, lambda: 1), run(NUMBER, lambda: 0)
    assert good.kept
    assert [verdict.clause for verdict in good.verdicts] == ["number.positive", "number.divides"]
    assert not bad.kept
    assert len(bad.broken) == 2
    assert str(bad).startswith("number: 2 clauses, 2 broken\n  number.positive is broken")


def test_each_clause_gets_a_fresh_plug_in() -> None:
    made = []
    run(NUMBER, lambda: made.append(1) or 1)  # type: ignore[func-returns-value]
    assert len(made) == 2
