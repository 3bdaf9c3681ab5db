import pickle
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

from lamina.staging import Slot, replaced
from lamina.staging.slots import filled
from lamina.vocabulary import File

A, B = File("http://h/a"), File("http://h/b")


class Pair(NamedTuple):
    left: Any
    right: Any


def test_files_are_found_wherever_they_nest_and_put_back() -> None:
    order: list[File] = []

    def slot(file: File) -> Slot:
        order.append(file)
        return Slot(len(order) - 1)

    value = [A, {"k": (B, 1)}, Pair(A, [B]), {B}, frozenset({A}), "text", None]
    with_slots = replaced(value, slot)
    assert with_slots[2] == Pair(Slot(2), [Slot(3)])
    assert with_slots[3] == {Slot(4)}
    assert filled(pickle.loads(pickle.dumps(with_slots)), order) == value
    assert value[0] is A


def test_dicts_of_other_kinds_keep_their_kind() -> None:
    ordered = OrderedDict({"b": A, "a": [B]})
    by_default: defaultdict[str, Any] = defaultdict(list, {"k": A})
    changed = replaced([ordered, by_default], lambda file: file.url)
    assert changed == [OrderedDict({"b": A.url, "a": [B.url]}), {"k": A.url}]
    assert changed[1]["new"] == []
    assert ordered["b"] is A
    assert by_default["k"] is A


def test_containers_without_a_file_stay_the_very_same() -> None:
    value = ([1, 2], {"k": (3,)}, Pair(1, 2))
    assert replaced(value, lambda file: 1 / 0) is value


def test_a_list_that_holds_itself_comes_to_an_end() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert replaced(value, lambda file: file) is value
    assert repr(Slot(3)) == "Slot(3)"
