from lamina.channels import LocalChannel
from lamina.conformance import PROVIDER
from lamina.providers import AdHocProvider, LocalProvider
from tests.kits import as_tests

TestLocal = as_tests(PROVIDER, LocalProvider)
TestAdHoc = as_tests(PROVIDER, lambda: AdHocProvider(channels=[LocalChannel()] * 2))
