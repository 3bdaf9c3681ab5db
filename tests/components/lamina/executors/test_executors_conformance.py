from lamina.conformance import EXECUTOR
from lamina.executors import ThreadPoolExecutor
from tests.kits import as_tests

TestThreads = as_tests(EXECUTOR, ThreadPoolExecutor)
