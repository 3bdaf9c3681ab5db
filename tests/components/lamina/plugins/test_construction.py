import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NewType

import attrs
import pytest

from lamina.executors import ThreadPoolExecutor
from lamina.plugins import ConfigErrors, construct

Label = NewType("Label", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen(kw_only=True)
class Size:
    cores: int = 1


@attrs.frozen(kw_only=True)
class Provider:
    partition: str
    nodes: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen(kw_only=True)
class Everything:
    label: Label = Label("x")
    path: Path = Path()
    seconds: float | None = None
    colour: Colour = Colour.RED
    mode: Literal["a", "b"] = "a"
    names: Sequence[str] = ()
    pair: tuple[int, ...] = ()
    env: Mapping[str, str] = attrs.field(factory=dict)
    size: Size | None = None
    strict: bool = True
    provider: object = None
    executors: Sequence[object] = ()
    anything: Any = None


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The plug-ins of this module can be found by its name however pytest loaded it."""
    import sys
    import types

    module = types.ModuleType("things_to_construct")
    vars(module).update(Everything=Everything, Provider=Provider, one=7)
    monkeypatch.setitem(sys.modules, "things_to_construct", module)


def make(**options):
    return construct("any", {"use": "things_to_construct:Everything", **options})


def mistakes(**options) -> dict[str, str]:
    with pytest.raises(ConfigErrors) as caught:
        make(**options)
    return dict(caught.value.mistakes)


def test_a_name_an_object_and_a_mapping_all_make_a_plug_in():
    pool = ThreadPoolExecutor()
    assert construct("executors", pool) is pool
    assert construct("executors", "threads").max_threads == 2
    assert construct("executors", {"use": "threads", "max_threads": None}).max_threads is None


def test_values_become_what_the_signature_asks_for():
    made = make(
        label="l",
        path="/tmp/x",
        seconds=3,
        colour="blue",
        mode="b",
        names=["a"],
        pair=[1, 2],
        env={"A": "1"},
        size={"cores": 4},
        strict=False,
    )
    assert made == Everything(
        label=Label("l"),
        path=Path("/tmp/x"),
        seconds=3,
        colour=Colour.BLUE,
        mode="b",
        names=("a",),
        pair=(1, 2),
        env={"A": "1"},
        size=Size(cores=4),
        strict=False,
    )


def test_an_option_of_any_type_takes_what_is_given():
    assert make(anything=["a", 1]).anything == ["a", 1]


def test_plug_ins_within_plug_ins_are_made_too():
    inner = {"use": "things_to_construct:Provider", "partition": "debug"}
    made = make(provider=inner, executors=["threads", {"use": "threads", "label": "b"}])
    assert made.provider == Provider(partition="debug")
    assert [pool.label for pool in made.executors] == ["threads", "b"]


def test_all_mistakes_come_at_once_each_with_its_path():
    found = mistakes(
        labl="x",
        label=3,
        seconds="soon",
        colour="green",
        mode="c",
        names="abc",
        pair=[1, "2"],
        size={"cores": True, "core": 1},
        strict=1,
        provider={"use": "things_to_construct:Provider", "nodes": "2"},
        executors=["threads", {"use": "thread"}, {"use": "threads", "max_threads": 0}],
    )
    assert set(found) == {
        "labl",
        "label",
        "seconds",
        "colour",
        "mode",
        "names",
        "pair",
        "size.cores",
        "size.core",
        "strict",
        "provider.nodes",
        "provider.partition",
        "executors[1].use",
        "executors[2].max_threads",
    }
    assert "did you mean 'label'?" in found["labl"]
    assert found["label"] == "is 3; it must be text"
    assert found["seconds"] == "is 'soon'; it must be a number or left out"
    assert found["colour"] == "is 'green'; it must be one of 'red', 'blue'"
    assert found["mode"] == "is 'c'; it must be 'a' or 'b'"
    assert found["provider.partition"].endswith("needs this option")
    assert "did you mean 'threads'?" in found["executors[1].use"]


def test_what_a_validator_says_has_a_path():
    bad = {"use": "things_to_construct:Provider", "partition": "p", "nodes": 0}
    assert ">= 1" in mistakes(provider=bad)["provider.nodes"]


def test_what_several_validators_say_comes_at_once_each_with_its_path():
    provider = {"use": "local", "init_blocks": -1, "max_blocks": -2, "labl": "x", "min_blocks": 0}
    with pytest.raises(ConfigErrors) as caught:
        construct("providers", provider, path="provider")
    found = dict(caught.value.mistakes)
    assert set(found) == {"provider.labl", "provider.init_blocks", "provider.max_blocks"}
    assert "make it 0 or more" in found["provider.init_blocks"]


def test_what_a_plug_in_finds_by_itself_stands_below_its_path():
    bad = {"use": "htex", "max_workers_per_node": 0, "heartbeat_period": -1, "labl": "x"}
    with pytest.raises(ConfigErrors) as caught:
        construct("executors", bad, path="executors[0]")
    says = [mistake.says for mistake in caught.value.mistakes]
    assert all(mistake.path.startswith("executors[0]") for mistake in caught.value.mistakes)
    assert any(text.startswith("max_workers_per_node") for text in says)
    assert any(text.startswith("heartbeat_period") for text in says)


def test_two_options_that_contradict_are_told_once():
    provider = {"use": "local", "min_blocks": 5, "max_blocks": 3}
    with pytest.raises(ConfigErrors) as caught:
        construct("providers", provider)
    (mistake,) = caught.value.mistakes
    assert "min_blocks is 5 and max_blocks 3" in mistake.says


def test_use_is_needed_and_an_object_takes_no_options():
    with pytest.raises(ConfigErrors, match=r"executors\.use: is missing"):
        construct("executors", {"label": "x"}, path="executors")
    with pytest.raises(ConfigErrors, match="not text"):
        construct("executors", {"use": 3})
    assert construct("any", "things_to_construct:one") == 7
    with pytest.raises(ConfigErrors, match="takes no options"):
        construct("any", {"use": "things_to_construct:one", "x": 1})
