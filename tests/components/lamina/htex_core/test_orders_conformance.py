from lamina.conformance import QUEUE_ORDER
from lamina.htex_core import FirstInFirstOut, PriorityFirst, ShortestFirst
from tests.kits import as_tests

TestPriorityFirst = as_tests(QUEUE_ORDER, PriorityFirst)
TestFirstInFirstOut = as_tests(QUEUE_ORDER, FirstInFirstOut)
TestShortestFirst = as_tests(QUEUE_ORDER, ShortestFirst)
