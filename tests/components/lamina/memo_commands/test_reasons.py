from typing import Any

from lamina.memo import OutputMark, StoredResult, Subject, memo_key
from lamina.memo_commands.reasons import why_computed


def f(a: Any, b: Any = 2) -> Any:
    return a


def g(a: Any) -> Any:
    return a


def result(*args: Any, function: Any = f, **changes: Any) -> StoredResult:
    key = memo_key(Subject(function, args, {}, version=changes.pop("version", "")))
    return StoredResult(key, "f", 1.0, "value", (), made_of=key.made_of)._replace(**changes)


def test_the_first_call_of_a_function_is_the_first() -> None:
    assert why_computed(result(1), "009", []) == f"no call of {__name__}.f had been recorded"
    assert why_computed(result(1), "009", [("000", result(1, function=g))]).startswith("no call of")


def test_the_most_similar_call_before_is_named_with_what_differs() -> None:
    before = [("000", result(1, 5)), ("001", result(2, version="x")), ("002", result(7, 8))]
    said = why_computed(result(1), "009", before)
    key = before[0][1].key.hex()[:12]
    assert said.startswith(f"compared with {key} of run 000")
    assert said.endswith("argument 2 (b) differs")


def test_of_calls_that_differ_in_as_much_the_latest_is_named() -> None:
    before = [(f"00{n}", result(1, n + 5, at=float(n))) for n in range(3)]
    for order in (before, before[::-1]):
        assert "of run 002, the most similar" in why_computed(result(1), "009", order)
        same = [(run, one._replace(key=result(1).key)) for run, one in order]
        assert why_computed(result(1), "009", same).startswith("run 002 had recorded it")


def test_a_call_of_another_run_is_named_before_one_of_the_same() -> None:
    before = [("000", result(1, 5, at=1.0)), ("009", result(2, at=2.0))]
    for order in (before, before[::-1]):
        said = why_computed(result(1), "009", order)
        assert "of run 000" in said
        assert said.endswith("argument 2 (b) differs")


def test_a_call_that_had_been_recorded_says_why_that_did_not_count() -> None:
    mark = OutputMark("file:///x", 1, 1)
    written, again = result(1, outputs=(mark,)), result(1, outputs=(mark._replace(modified=2),))
    said = why_computed(again, "009", [("000", written)])
    assert said == "run 000 had recorded it, and its output file:///x was no longer as it had been"
    failed = result(1, form="error")
    assert "an exception" in why_computed(result(1), "009", [("000", failed)])
    assert "did not begin with that one" in why_computed(result(1), "009", [("000", result(1))])


def test_a_key_of_a_foreign_memo_says_nothing() -> None:
    assert "does not say" in why_computed(result(1, made_of=None), "009", [])
