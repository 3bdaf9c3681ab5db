"""Each retry policy is one for the type checker, which reads this; nobody runs it."""

from lamina.flow import Config, python_app
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
    TaskRecord,
    Then,
    Trouble,
)
from lamina.vocabulary import Cause


class Mine:
    def decide(self, trouble: Trouble) -> Decision:
        return Again(cost=2) if trouble.cause is Cause.STAGING else GiveUp("no")


def price(error: BaseException, task: TaskRecord) -> float:
    return 0 if task.fail_count < 3 else 1


policies: list[RetryPolicy] = [
    Never(),
    Default(),
    Retries(2, crash_limit=1),
    CrashLimit(Mine(), limit=2),
    CostBudget(3, price),
    Backoff(Mine(), first=0.1),
    ByCause({Cause.STAGING: Mine(), "worker_lost": 3}, otherwise=Never()),
    InfrastructureFree(Mine(), crash_limit=5),
    MoreMemory("64 GiB", factor=1.5),
    OtherNode(Mine()),
    OtherExecutor(Mine()),
    Either([Mine(), Never()]),
    Then([Mine(), Never()]),
    Mine() | Never(),
    Never() | Mine() | Retries(1),
    Retries(1).then(Mine()),
]

config = Config(retries=3, retry_handler=price)


@python_app(retry=Mine() | Retries(1))
def inc(x: int) -> int:
    return x + 1
