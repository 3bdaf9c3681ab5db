from lamina.conformance import MEMO, RESULT_STORE
from lamina.memo import InMemoryMemo, InMemoryResultStore, StoredMemo
from tests.kits import as_tests

TestInMemory = as_tests(MEMO, InMemoryMemo)
TestStored = as_tests(MEMO, StoredMemo)
TestInMemoryResults = as_tests(RESULT_STORE, InMemoryResultStore)
