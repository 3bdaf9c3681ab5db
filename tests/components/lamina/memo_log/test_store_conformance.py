from lamina.conformance import MEMO, RESULT_STORE
from lamina.memo import StoredMemo
from lamina.memo_log import LogResultStore
from tests.kits import as_tests

TestLog = as_tests(RESULT_STORE, LogResultStore)
TestLogSafeAtOnce = as_tests(RESULT_STORE, lambda: LogResultStore(durability="result"))
TestLogSafeAtClose = as_tests(RESULT_STORE, lambda: LogResultStore(durability="close", large=10))
TestStoredInLog = as_tests(MEMO, lambda: StoredMemo(LogResultStore()))
