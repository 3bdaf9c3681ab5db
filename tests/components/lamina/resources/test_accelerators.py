import pytest

from lamina.resources.accelerators import check_accelerators, names_of, seen_in, visibility
from lamina.vocabulary import ConfigError


def test_a_number_stands_for_as_many_names() -> None:
    assert names_of(3) == ("0", "1", "2")
    assert names_of(["a", "a"]) == ("a", "a")
    assert names_of(()) == ()


def test_a_number_stands_for_those_that_may_be_seen() -> None:
    assert names_of(2, ("4", "5", "6")) == ("4", "5")
    assert names_of(2, ("4",)) == ("0", "1")
    assert names_of(["a"], ("4",)) == ("a",)


@pytest.mark.parametrize(
    "env, families, seen",
    [
        ({"CUDA_VISIBLE_DEVICES": "2, 3,3"}, {"cuda"}, ("2", "3")),
        ({"CUDA_VISIBLE_DEVICES": "2", "ROCR_VISIBLE_DEVICES": "1"}, {"rocm"}, ("1",)),
        ({"ROCR_VISIBLE_DEVICES": "1"}, (), ("1",)),
        ({"CUDA_VISIBLE_DEVICES": ""}, {"cuda"}, ()),
        ({}, (), ()),
    ],
)
def test_what_a_process_sees_is_in_its_environment(
    env: dict[str, str], families: set[str], seen: tuple[str, ...]
) -> None:
    assert seen_in(env, families) == seen


@pytest.mark.parametrize("given", [-1, "01", True, [""], [0], None, 1.5])
def test_what_names_no_accelerators_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="available_accelerators is"):
        check_accelerators(given)


def test_names_and_numbers_are_taken() -> None:
    check_accelerators(2)
    check_accelerators(["GPU-1", "GPU-2"])
    check_accelerators(())


def test_a_family_that_is_known_sets_its_own_variable_alone() -> None:
    assert visibility(["1", "3"], {"cuda"}) == {"CUDA_VISIBLE_DEVICES": "1,3"}
    assert visibility(["1"], {"rocm"}) == {"ROCR_VISIBLE_DEVICES": "1"}
    assert visibility(["1"], {"level_zero"}) == {
        "ZE_AFFINITY_MASK": "1",
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1",
    }


def test_without_a_family_all_variables_are_set() -> None:
    assert visibility(["0"], ()) == {
        "CUDA_VISIBLE_DEVICES": "0",
        "ROCR_VISIBLE_DEVICES": "0",
        "ZE_AFFINITY_MASK": "0",
        "ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1",
    }
