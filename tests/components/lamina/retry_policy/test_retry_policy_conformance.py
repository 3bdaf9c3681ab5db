from lamina.conformance import RETRY_POLICY
from lamina.retry_policy import CrashLimit, Default, Never, Retries
from tests.kits import as_tests

TestNever = as_tests(RETRY_POLICY, Never)
TestRetries = as_tests(RETRY_POLICY, lambda: Retries(2))
TestDefault = as_tests(RETRY_POLICY, Default)
TestCrashLimit = as_tests(RETRY_POLICY, lambda: CrashLimit(Default()))
