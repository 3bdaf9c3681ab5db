import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

SOURCE = """
class Decorator:
    def __init__(self, function):
        self.__wrapped__ = function

def plain(): return 1

@Decorator
def decorated(): return 2

@Decorator
@Decorator
def twice(): return 3

class Holder:
    def method(self): return 4

    @staticmethod
    def static(): return 5

hidden = lambda: 6

circle = Decorator(None)
circle.__wrapped__ = circle

def stray(): return 7
lost = stray
stray = circle
"""


@pytest.fixture
def a_module() -> Iterator[ModuleType]:
    module = ModuleType("a_module_of_a_test")
    exec(SOURCE, vars(module))
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]
