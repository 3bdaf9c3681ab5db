"""The kit of Provider on the real Grid Engine."""

import pytest

from lamina.conformance import PROVIDER
from lamina.providers_batch import GridEngineProvider
from tests.kits import as_tests

pytestmark = [pytest.mark.service, pytest.mark.apart]

TestGridEngine = as_tests(PROVIDER, lambda: GridEngineProvider(status_polling_interval=1))
