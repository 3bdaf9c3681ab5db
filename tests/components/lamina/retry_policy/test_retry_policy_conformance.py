from lamina.conformance import RETRY_POLICY
from lamina.retry_policy import (
    Backoff,
    ByCause,
    CostBudget,
    CrashLimit,
    Default,
    Either,
    InfrastructureFree,
    MoreMemory,
    Never,
    OtherExecutor,
    OtherNode,
    Retries,
    Then,
)
from tests.kits import as_tests

TestNever = as_tests(RETRY_POLICY, Never)
TestRetries = as_tests(RETRY_POLICY, lambda: Retries(2))
TestDefault = as_tests(RETRY_POLICY, Default)
TestCrashLimit = as_tests(RETRY_POLICY, lambda: CrashLimit(Default()))
TestCostBudget = as_tests(RETRY_POLICY, lambda: CostBudget(2, lambda error, task: 0.5))
TestFreeCostBudget = as_tests(RETRY_POLICY, lambda: CostBudget(0, lambda error, task: 0))
TestBackoff = as_tests(RETRY_POLICY, Backoff)
TestByCause = as_tests(RETRY_POLICY, lambda: ByCause({"staging": 3, "worker_lost": Retries(1)}))
TestInfrastructureFree = as_tests(RETRY_POLICY, lambda: InfrastructureFree(Retries(1)))
TestMoreMemory = as_tests(RETRY_POLICY, lambda: MoreMemory("64 GiB"))
TestOtherNode = as_tests(RETRY_POLICY, OtherNode)
TestOtherExecutor = as_tests(RETRY_POLICY, OtherExecutor)
TestEither = as_tests(RETRY_POLICY, lambda: Either([MoreMemory("64 GiB"), Retries(1)]))
TestThen = as_tests(RETRY_POLICY, lambda: Then([Retries(2), OtherExecutor(Retries(2))]))
