import random
from collections.abc import Callable

import pytest

from lamina.plugins import construct
from lamina.retry_policy import (
    Again,
    Backoff,
    ByCause,
    CostBudget,
    CrashLimit,
    Decision,
    Default,
    Either,
    GiveUp,
    InfrastructureFree,
    MoreMemory,
    Never,
    OtherExecutor,
    OtherNode,
    Retries,
    RetryPolicy,
    Then,
    Trouble,
)
from lamina.vocabulary import Cause, ConfigError, Failure, HasStarted, Resources
from tests.fakes.troubles import failed, story, trouble


class Mine:
    """Somebody else's policy: it has nothing but what the Protocol asks for."""

    def decide(self, trouble: Trouble) -> Decision:
        if len(trouble.history) > 1:
            return GiveUp("mine has had enough")
        return Again(delay=7)


def granted(decisions: list[Decision]) -> int:
    assert isinstance(decisions[-1], GiveUp)
    return len(decisions) - 1


def test_either_asks_the_next_where_one_gives_up() -> None:
    policy = Never() | Mine() | Retries(3)
    assert policy == Either([Never(), *policy.policies[1:]]), "the lists inside are one list"
    first, *others, last = story(policy, lambda n: failed())
    assert first == Again(delay=7)
    assert others == [Again(), Again()]
    assert last == GiveUp("mine has had enough; it failed 4 times, and retries=3 allows no more"), (
        "each says why"
    )


def test_a_foreign_policy_stands_on_either_side() -> None:
    assert (Mine() | Never()).decide(trouble(failed())) == Again(delay=7)
    assert (Never() | Mine()).decide(trouble(failed())) == Again(delay=7)


def test_a_list_lends_a_foreign_policy_what_ours_have() -> None:
    assert granted(story(Either([Mine()]).then(Mine()), lambda n: failed())) == 2


def test_then_lets_the_next_decide_from_where_one_gave_up() -> None:
    policy = Retries(2).then(OtherExecutor(Retries(2)))
    decisions = story(policy, lambda n: failed())
    assert decisions[:2] == [Again(), Again()]
    assert decisions[2] == Again(executors=("threads",))
    assert granted(decisions) == 4


def test_what_has_given_up_is_not_asked_about_later_attempts() -> None:
    # Alone it would grant the third one, for its cause.
    policy = ByCause({"staging": 5}).then(Retries(1))
    causes = [Cause.STAGING, Cause.APPLICATION, Cause.STAGING, Cause.STAGING]
    decisions = story(policy, lambda n: failed(causes[n]))
    assert granted(decisions) == 2


def test_then_of_three_is_one_list() -> None:
    policy = Retries(1).then(Retries(1)).then(Retries(1))
    assert policy == Then([Retries(1)] * 3)
    assert granted(story(policy, lambda n: failed())) == 3


def test_the_same_reason_is_given_once() -> None:
    decision = (Retries(0) | Retries(0)).decide(trouble(failed()))
    assert decision == GiveUp("it failed 1 times, and retries=0 allows no more")


@pytest.mark.parametrize("kind", [Either, Then])
def test_a_configuration_file_may_list_policies(kind: type[Either] | type[Then]) -> None:
    both = [{"use": "more_memory", "limit": "1 GiB"}, {"use": "backoff", "policy": "never"}]
    made = construct("retry_policies", {"use": kind.__name__.lower(), "policies": both})
    assert made == kind([MoreMemory("1 GiB"), Backoff(Never())])


@pytest.mark.parametrize("kind", [Either, Then])
@pytest.mark.parametrize("policies", [[], [3], 3, "retries"])
def test_lists_of_anything_else_are_refused(kind: Callable[..., object], policies: object) -> None:
    with pytest.raises(ConfigError, match="policies is"):
        kind(policies)


# Whatever they are made of, they end.


def some_policy(chance: random.Random, depth: int = 3) -> RetryPolicy:
    plain: list[Callable[[], RetryPolicy]] = [
        Never,
        Default,
        lambda: Retries(chance.randrange(5), crash_limit=chance.randrange(5)),
        lambda: MoreMemory(chance.randrange(1, 2**40), chance.uniform(1.1, 4)),
        lambda: CostBudget(chance.uniform(0, 5), lambda error, task: chance.choice([0, 0.4, 1])),
        lambda: CostBudget(chance.randrange(4), most_attempts=chance.randrange(1, 9)),
    ]
    if depth == 0:
        return chance.choice(plain)()

    def inner() -> RetryPolicy:
        return some_policy(chance, depth - 1)

    def counted() -> dict[Cause | str, RetryPolicy | int]:
        return {cause: inner() for cause in chance.sample(list(Cause), 3)}

    wrapping: list[Callable[[], RetryPolicy]] = [
        lambda: Backoff(inner(), chance.uniform(0, 9), chance.uniform(1, 9), chance.uniform(0, 9)),
        lambda: ByCause(counted(), inner()),
        lambda: CrashLimit(inner(), chance.randrange(4)),
        lambda: InfrastructureFree(inner(), chance.randrange(4), chance.randrange(6)),
        lambda: OtherNode(inner()),
        lambda: OtherExecutor(inner()),
        lambda: Either([inner(), inner()]),
        lambda: Then([inner(), inner()]),
    ]
    return chance.choice(plain * 2 + wrapping * 3)()


def some_failure(chance: random.Random, causes: list[Cause]) -> Failure:
    return failed(
        chance.choice(causes),
        started=chance.choice(list(HasStarted)),
        node=chance.choice(["n1", "n2", None]),
        peak_memory=chance.choice([None, chance.randrange(2**40)]),
    )


@pytest.mark.parametrize("seed", range(300))
def test_whatever_a_policy_is_made_of_every_task_ends(seed: int) -> None:
    chance = random.Random(seed)
    policy = some_policy(chance)
    causes = chance.choices(list(Cause), k=chance.randrange(1, 5))
    decisions = story(
        policy,
        lambda n: some_failure(chance, causes),
        draw=chance.random,
        resources=chance.choice([None, Resources(cores=1), Resources(memory=chance.randrange(99))]),
        memory_limit=chance.choice([None, chance.randrange(1, 2**30)]),
    )
    assert isinstance(decisions[-1], GiveUp), f"{policy} never ends"
