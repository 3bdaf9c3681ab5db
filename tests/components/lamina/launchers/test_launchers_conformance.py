from lamina.conformance import LAUNCHER
from lamina.launchers import SimpleLauncher, SingleNodeLauncher
from tests.kits import as_tests

TestSimple = as_tests(LAUNCHER, SimpleLauncher)
TestSingleNode = as_tests(LAUNCHER, SingleNodeLauncher)
