import pytest

from lamina.retry_policy import Again, GiveUp, MoreMemory, Retries
from lamina.vocabulary import Cause, ConfigError, Resources
from tests.fakes.troubles import failed, story, trouble

GIB = 2**30


def test_memory_is_doubled_up_to_the_limit() -> None:
    decisions = story(MoreMemory("5 GiB"), lambda n: failed(Cause.OUT_OF_MEMORY), memory_limit=GIB)
    limits = [one.memory_limit for one in decisions if isinstance(one, Again)]
    assert limits == [2 * GIB, 4 * GIB, 5 * GIB]
    assert decisions[-1] == GiveUp("it ran out of memory with 5 GiB, which is all that it may have")


def test_what_it_was_seen_to_use_counts_where_it_is_more() -> None:
    failure = failed(Cause.OUT_OF_MEMORY, peak_memory=3 * GIB)
    policy = MoreMemory("64 GiB", factor=1.5)
    assert policy.decide(trouble(failure, memory_limit=2 * GIB)) == Again(
        memory_limit=int(4.5 * GIB)
    )
    assert policy.decide(trouble(failure)) == Again(memory_limit=int(4.5 * GIB))


def test_what_it_asks_for_is_raised_too_if_it_asks() -> None:
    failure = failed(Cause.OUT_OF_MEMORY)
    asked = Resources(cores=2, memory="1 GiB")
    decision = MoreMemory("64 GiB").decide(trouble(failure, resources=asked))
    assert decision == Again(resources=Resources(cores=2, memory="2 GiB"), memory_limit=2 * GIB)
    modest = Resources(cores=2)
    told = trouble(failure, resources=modest, memory_limit=GIB)
    assert MoreMemory("64 GiB").decide(told) == Again(resources=modest, memory_limit=2 * GIB)
    ample = Resources(memory="8 GiB")
    told = trouble(failure, resources=ample, memory_limit=GIB)
    assert MoreMemory("64 GiB").decide(told) == Again(resources=ample, memory_limit=2 * GIB)


def test_a_byte_grows_as_well() -> None:
    decisions = story(
        MoreMemory(5, factor=1.1), lambda n: failed(Cause.OUT_OF_MEMORY), memory_limit=1
    )
    assert len(decisions) == 5
    assert decisions[-1] == GiveUp(
        "it ran out of memory with 5 bytes, which is all that it may have"
    )


def test_where_nobody_knows_what_it_had_it_says_what_to_do() -> None:
    decision = MoreMemory("1 GiB").decide(trouble(failed(Cause.OUT_OF_MEMORY)))
    assert isinstance(decision, GiveUp)
    assert "give it a memory_limit" in decision.reason


def test_other_causes_are_for_another_policy() -> None:
    assert MoreMemory("1 GiB").decide(trouble(failed())) == GiveUp()
    assert (MoreMemory("1 GiB") | Retries(1)).decide(trouble(failed())) == Again()


@pytest.mark.parametrize(
    "options, says",
    [
        ({"limit": 0}, "limit is 0"),
        ({"limit": "much"}, "limit is 'much'"),
        ({"limit": 1, "factor": 1.0}, "factor is 1.0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        MoreMemory(**options)  # type: ignore[arg-type]
