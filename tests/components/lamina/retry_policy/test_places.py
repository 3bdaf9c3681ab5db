import pytest

from lamina.retry_policy import (
    Again,
    Attempt,
    Decision,
    GiveUp,
    OtherExecutor,
    OtherNode,
    Retries,
    Trouble,
)
from lamina.vocabulary import ConfigError
from tests.fakes.troubles import failed, story, trouble


class Sends:
    """Sends the task where it says."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def decide(self, trouble: Trouble) -> Decision:
        return self.decision


def test_the_nodes_where_it_failed_are_avoided() -> None:
    nodes = ["n1", "n2", "n2", None, "n3", "n4"]
    decisions = story(OtherNode(Retries(5)), lambda n: failed(node=nodes[n]))
    avoided = [tuple(one.avoid) for one in decisions if isinstance(one, Again)]
    two, three = ("n1", "n2"), ("n1", "n2", "n3")
    assert avoided == [("n1",), two, two, two, three]


def test_some_node_is_left_for_it() -> None:
    history = [failed(node=f"n{n}") for n in range(9)]
    assert OtherNode(Retries(9), most=2).decide(trouble(*history)) == Again(avoid=("n0", "n1"))


def test_what_the_other_policy_avoids_is_avoided_too() -> None:
    policy = OtherNode(Sends(Again(avoid=["n9"], delay=3)))
    assert policy.decide(trouble(failed(node="n1"))) == Again(avoid=("n9", "n1"), delay=3)


def test_the_next_executor_is_one_where_it_has_not_failed() -> None:
    decisions = story(OtherExecutor(Retries(4)), lambda n: failed(), executors=("a", "b", "c"))
    went = [one.executors for one in decisions if isinstance(one, Again)]
    assert went[0] == ("b", "c")
    assert went[1] == ("c",)
    assert went[2] == ("a", "b"), "all have been tried: any but the last"


def test_with_one_executor_it_stays() -> None:
    decisions = story(OtherExecutor(), lambda n: failed(), executors=("a",))
    assert decisions[0] == Again()


def test_what_the_other_policy_sends_elsewhere_goes_there() -> None:
    sent = Again(executors=["z"])
    told = trouble(failed(), executors=("a", "b"), attempts=(at("a"),))
    assert OtherExecutor(Sends(sent)).decide(told) is sent


def at(executor: str) -> Attempt:
    return Attempt(failure=failed(), executor=executor)


@pytest.mark.parametrize("kind", [OtherExecutor, OtherNode])
def test_neither_grants_anything_by_itself(kind: type[OtherExecutor] | type[OtherNode]) -> None:
    assert kind(Sends(GiveUp("no"))).decide(trouble(failed())) == GiveUp("no")
    with pytest.raises(ConfigError, match="policy is 3"):
        kind(3)  # type: ignore[arg-type]
