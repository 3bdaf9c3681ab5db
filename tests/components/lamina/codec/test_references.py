import pickle
from types import ModuleType

from lamina.codec import Reference, reference_to


def test_an_importable_function_stands_for_itself(a_module: ModuleType) -> None:
    for function in (a_module.plain, a_module.Holder.method, len):
        assert reference_to(function) is function


def test_a_decorated_function_is_found_within_its_decorators(a_module: ModuleType) -> None:
    twice = a_module.twice.__wrapped__.__wrapped__
    for function in (a_module.decorated.__wrapped__, twice, a_module.Holder.static):
        reference = reference_to(function)
        assert isinstance(reference, Reference) or reference is function
        assert pickle.loads(pickle.dumps(reference)) is function


def test_a_function_without_a_name_of_its_own_has_no_reference(a_module: ModuleType) -> None:
    assert reference_to(a_module.hidden) is None
    assert reference_to(lambda: 1) is None


def test_a_circle_of_decorators_ends(a_module: ModuleType) -> None:
    assert reference_to(a_module.lost) is None


def test_a_function_of_a_module_that_is_not_there_has_no_reference(a_module: ModuleType) -> None:
    a_module.plain.__module__ = "gone"
    assert reference_to(a_module.plain) is None
