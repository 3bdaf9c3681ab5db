"""The kit of Provider on the real Slurm."""

import pytest

from lamina.conformance import PROVIDER
from lamina.providers_batch import SlurmProvider
from tests.kits import as_tests

pytestmark = pytest.mark.service


def provider() -> SlurmProvider:
    return SlurmProvider(exclusive=False, status_polling_interval=1)


TestWithAccounting = as_tests(PROVIDER, provider)


class TestWithoutAccounting(as_tests(PROVIDER, provider)):  # type: ignore[misc]
    @pytest.fixture(autouse=True)
    def no_accounting(self, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_CONF", cluster["TESTBED_SLURM_NO_ACCOUNTING"])


TestNamedCluster = as_tests(
    PROVIDER,
    lambda: SlurmProvider(exclusive=False, status_polling_interval=1, clusters="testbed"),
)
