import functools
import inspect
from collections.abc import Callable
from typing import Any

from lamina.memo import CallPrint, Subject, differences, memo_key, nearest
from lamina.memo.calls import _plainly_bound
from lamina.vocabulary import File


def f(a: Any, b: Any = 2, **more: Any) -> Any:
    return a


def made_of(*args: Any, function: Callable[..., Any] = f, **changes: Any) -> CallPrint:
    return memo_key(Subject(function, args, changes.pop("kwargs", {}), **changes)).made_of


def test_a_key_knows_what_it_was_made_of() -> None:
    found = made_of(1)
    assert found.function == f"{__name__}.f"
    assert [name for name, _ in found.arguments] == ["a", "b"]
    assert found == made_of(1, 2)


def test_what_differs_is_named() -> None:
    def changed(a: Any, b: Any = 3) -> Any:
        return a

    plain = made_of(1)
    for other, says in (
        (made_of(1), []),
        (made_of(3), ["argument 1 (a) differs"]),
        (made_of(1, 5), ["argument 2 (b) differs"]),
        (made_of(1, kwargs={"c": 1}), ["argument 3 (c) is new"]),
        (made_of(1, version="2"), ["its version was '' and is '2'"]),
        (made_of(1, outputs=(File("/x"),)), ["its outputs are other files"]),
    ):
        assert differences(other, plain) == says
    assert differences(plain, made_of(1, kwargs={"c": 1})) == ["argument c is missing"]
    (says,) = differences(made_of(1, 2, function=changed), plain)
    assert says.startswith("the function has changed")


def test_the_most_similar_call_is_compared() -> None:
    calls = [made_of(2, 3), made_of(1, 3), made_of(4, 5, version="x")]
    assert nearest(made_of(1, 2), calls) == ["argument 2 (b) differs"]
    assert nearest(made_of(1, 2), []) is None


def test_a_function_without_a_signature_or_a_hash_has_a_key() -> None:
    class Adding(list):  # type: ignore[type-arg]
        def __call__(self, x: int) -> int:
            return x

    assert memo_key(Subject(Adding(), (1,), {})) == memo_key(Subject(Adding(), (), {"x": 1}))
    assert made_of(1, function=max).function == "builtins.max"
    assert memo_key(Subject(max, (1, 2), {})) != memo_key(Subject(max, (2, 1), {}))


def plain_0() -> None: ...
def plain_2(a: Any, b: Any = 5) -> None: ...
def positional(a: Any, /, b: Any = 5) -> None: ...
def keyword(a: Any, *, b: Any = 5) -> None: ...
def variable(*a: Any, b: Any = 5, **c: Any) -> None: ...


def test_plain_calls_are_bound_as_their_signature_says() -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((), {}), ((1,), {}), ((1, 2), {}), ((1, 2, 3), {}), ((), {"a": 1}), ((1,), {"b": 2}),
        ((), {"b": 2, "a": 1}), ((1,), {"a": 2}), ((), {"b": 1}), ((1,), {"c": 1}),
    ]  # fmt: skip
    for function in (plain_0, plain_2, positional, keyword, variable):
        for args, kwargs in calls:
            subject = Subject(function, args, kwargs)
            try:
                bound = inspect.signature(function).bind(*args, **kwargs)
            except TypeError:
                assert _plainly_bound(subject) is None
                continue
            bound.apply_defaults()
            found = _plainly_bound(subject)
            assert found is None or list(found) == list(bound.arguments.items())
    assert _plainly_bound(Subject(plain_2, (1,), {"b": 2})) is not None


def test_a_function_that_says_another_signature_is_believed() -> None:
    def shown(a: Any) -> None: ...

    def shell(*args: Any) -> None: ...

    functools.update_wrapper(shell, shown)
    one, other = Subject(shell, (1,), {}), Subject(shell, (), {"a": 1})
    assert memo_key(one) == memo_key(other)
