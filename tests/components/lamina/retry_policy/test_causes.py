import pytest

from lamina.plugins import construct
from lamina.retry_policy import Again, ByCause, CostBudget, GiveUp, InfrastructureFree, Retries
from lamina.vocabulary import Cause, ConfigError, Failure
from tests.fakes.troubles import failed, hopeless_transfer, story, trouble


def told(*causes: Cause) -> list[Failure]:
    return [failed(cause) for cause in causes]


def test_each_cause_has_a_policy_of_its_own_whose_count_is_its_own() -> None:
    policy = ByCause({"staging": 2, Cause.TASK_WALLTIME: Retries(1)}, otherwise=Retries(1))
    causes = [Cause.STAGING, Cause.APPLICATION, Cause.TASK_WALLTIME, Cause.STAGING, Cause.STAGING]
    decisions = story(policy, lambda n: failed(causes[n]))
    assert decisions[:-1] == [Again()] * 4
    assert decisions[-1] == GiveUp("it failed 3 times, and retries=2 allows no more")


def test_a_cause_that_is_not_named_is_final_unless_told_otherwise() -> None:
    assert isinstance(ByCause({"staging": 2}).decide(trouble(failed())), GiveUp)


def test_causes_may_be_named_in_a_configuration_file() -> None:
    made = construct(
        "retry_policies",
        {"use": "by_cause", "causes": {"staging": 3}, "otherwise": {"use": "retries", "count": 1}},
    )
    assert made == ByCause({Cause.STAGING: Retries(3)}, Retries(1))


@pytest.mark.parametrize(
    "causes, says",
    [
        ({"bad_luck": 1}, "the causes are application"),
        ({"staging": "3"}, "a retry policy or a count"),
        ({"staging": True}, "a retry policy or a count"),
        ({"staging": -1}, "0 or more"),
        (3, "must be a mapping"),
    ],
)
def test_causes_that_cannot_work_are_refused(causes: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ByCause(causes)  # type: ignore[arg-type]


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause.is_infrastructure])
def test_what_the_machinery_did_costs_nothing(cause: Cause) -> None:
    assert InfrastructureFree().decide(trouble(failed(cause))) == Again(cost=0)


@pytest.mark.parametrize("cause", [cause for cause in Cause if not cause.is_infrastructure])
def test_all_else_is_for_the_other_policy(cause: Cause) -> None:
    assert isinstance(InfrastructureFree().decide(trouble(failed(cause))), GiveUp)


def test_a_transfer_that_cannot_work_is_not_free() -> None:
    assert isinstance(InfrastructureFree().decide(trouble(hopeless_transfer())), GiveUp)
    assert InfrastructureFree(Retries(1)).decide(trouble(hopeless_transfer())) == Again()


@pytest.mark.parametrize("inner", [Retries(1), CostBudget(1)])
def test_the_other_policy_does_not_see_what_was_free(inner: Retries | CostBudget) -> None:
    causes = [Cause.NODE_LOST, Cause.APPLICATION, Cause.STAGING, Cause.APPLICATION]
    decisions = story(InfrastructureFree(inner), lambda n: failed(causes[n]))
    assert decisions[:-1] == [Again(cost=0), Again(), Again(cost=0)]
    assert isinstance(decisions[-1], GiveUp)


def test_a_task_that_kills_its_workers_is_not_free_for_ever() -> None:
    decisions = story(
        InfrastructureFree(crash_limit=2), lambda n: failed(Cause.WORKER_LOST, worker=str(n))
    )
    assert len(decisions) == 2
    assert isinstance(decisions[-1], GiveUp)
    assert "it killed 2 workers" in decisions[-1].reason


def test_nor_is_one_under_which_all_else_breaks() -> None:
    decisions = story(InfrastructureFree(limit=4), lambda n: failed(Cause.BLOCK_ENDED))
    assert len(decisions) == 5
    assert decisions[-1] == GiveUp(
        "the machinery failed 5 times under it, and limit=4 allows no more"
    )
