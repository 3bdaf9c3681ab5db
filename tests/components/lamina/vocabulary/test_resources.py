from typing import Any

import pytest

from lamina.vocabulary import ConfigError, Resources


def test_nothing_is_asked_for_by_default() -> None:
    assert Resources() == Resources(cores=0, memory=0, accelerators=0, nodes=0, ranks=0)


def test_memory_is_text_or_bytes() -> None:
    assert Resources(memory="2 GiB").memory == Resources(memory=2**31).memory


FIELDS = ["cores", "memory", "accelerators", "nodes", "ranks"]


@pytest.mark.parametrize("field", FIELDS)
def test_none_means_that_the_task_does_not_care(field: str) -> None:
    assert Resources(**{field: None}) == Resources()


@pytest.mark.parametrize("value", [-1, "two", [], True, float("nan")])
@pytest.mark.parametrize("field", FIELDS)
def test_what_is_no_number_or_less_than_nothing_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        Resources(**{field: value})
