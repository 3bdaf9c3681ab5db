from lamina.conformance import MANAGER_SELECTOR
from lamina.htex_core import (
    BlockIdManagerSelector,
    FewestFreeManagerSelector,
    MostFreeManagerSelector,
    RandomManagerSelector,
    TurnManagerSelector,
)
from tests.kits import as_tests

TestTurn = as_tests(MANAGER_SELECTOR, TurnManagerSelector)
TestRandom = as_tests(MANAGER_SELECTOR, RandomManagerSelector)
TestFewestFree = as_tests(MANAGER_SELECTOR, FewestFreeManagerSelector)
TestMostFree = as_tests(MANAGER_SELECTOR, MostFreeManagerSelector)
TestBlockId = as_tests(MANAGER_SELECTOR, BlockIdManagerSelector)
