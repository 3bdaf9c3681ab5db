import pytest

from lamina.retry_policy import Again, Backoff, Decision, GiveUp, Retries, Trouble
from lamina.vocabulary import ConfigError
from tests.fakes.troubles import failed, story, trouble


def delays(policy: Backoff, chance: float = 0.0) -> list[float]:
    decisions = story(policy, lambda n: failed(), draw=lambda: chance)
    assert isinstance(decisions[-1], GiveUp)
    return [one.delay for one in decisions if isinstance(one, Again)]


def test_the_wait_grows_up_to_its_most() -> None:
    policy = Backoff(Retries(7), first=1, factor=2, most=20, jitter=0)
    assert delays(policy) == [1, 2, 4, 8, 16, 20, 20]


def test_chance_takes_its_part_of_the_wait() -> None:
    policy = Backoff(Retries(2), first=10, jitter=0.5)
    assert delays(policy, 0.0) == [10, 20]
    assert delays(policy, 0.5) == [7.5, 15]
    assert delays(Backoff(Retries(1), first=10, jitter=1), 0.999) == [pytest.approx(0.01)]


def test_no_number_of_failures_is_too_many() -> None:
    policy = Backoff(Retries(10), factor=1e300)
    assert policy.longest(10**6) == 300
    assert Backoff(factor=1.0, first=3).longest(10**6) == 3
    assert Backoff(first=0).longest(10**6) == 0
    assert Backoff(first=9, most=4).longest(1) == 4


class Late:
    def decide(self, trouble: Trouble) -> Decision:
        return Again(delay=100, avoid=["n1"])


def test_a_policy_that_wants_to_wait_longer_is_heeded() -> None:
    assert Backoff(Late()).decide(trouble(failed())) == Again(delay=100, avoid=["n1"])


def test_it_grants_nothing_by_itself() -> None:
    assert isinstance(Backoff(Retries(0)).decide(trouble(failed())), GiveUp)


@pytest.mark.parametrize(
    "options",
    [{"policy": 3}, {"first": -1}, {"factor": 0.5}, {"most": "1 h"}, {"jitter": 1.5}],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Backoff(**options)  # type: ignore[arg-type]
