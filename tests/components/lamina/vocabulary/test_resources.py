import pytest

from lamina.vocabulary import ConfigError, Resources


def test_nothing_is_asked_for_by_default() -> None:
    assert Resources() == Resources(cores=0, memory=0, accelerators=0, nodes=0, ranks=0)


def test_memory_is_text_or_bytes() -> None:
    assert Resources(memory="2 GiB").memory == Resources(memory=2**31).memory


@pytest.mark.parametrize("field", ["cores", "memory", "accelerators", "nodes", "ranks"])
def test_less_than_nothing_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Resources(**{field: -1})
