from lamina.conformance import PROVIDER
from lamina.providers import LocalProvider
from tests.kits import as_tests

TestLocal = as_tests(PROVIDER, LocalProvider)
