from lamina.conformance import MEMO
from lamina.memo import InMemoryMemo
from tests.kits import as_tests

TestInMemory = as_tests(MEMO, InMemoryMemo)
