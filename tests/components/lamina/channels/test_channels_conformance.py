from lamina.channels import LocalChannel
from lamina.conformance import CHANNEL
from tests.kits import as_tests

TestLocal = as_tests(CHANNEL, LocalChannel)
