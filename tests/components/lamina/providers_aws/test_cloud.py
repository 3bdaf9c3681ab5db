from collections.abc import Iterator

import pytest

from lamina.providers import ProviderUnavailable, SubmitRejected
from lamina.providers_aws.cloud import Cloud, must_be_installed
from lamina.vocabulary import ConfigError
from tests.fakes.aws_machines import Machines, emulated


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with emulated(tmp_path_factory.mktemp("machines")) as found:
        yield found


def made(endpoint: str | None = None) -> Cloud:
    return Cloud("us-east-2", None, endpoint, 5.0)


def test_without_the_library_it_is_said_what_to_install() -> None:
    must_be_installed()
    with pytest.raises(ConfigError, match=r"pip install 'lamina-flow\[aws\]'"):
        must_be_installed("no_such_library_of_theirs")


def test_a_subnet_that_is_not_there_is_refused(machines: Machines) -> None:
    image = next(iter(machines.backend.amis.values()))
    asked = {"ImageId": image.id, "MinCount": 1, "MaxCount": 1, "SubnetId": "subnet-1"}
    with pytest.raises(SubmitRejected, match="InvalidSubnetID") as caught:
        made().start("0", asked)
    assert caught.value.status == 400


def test_machines_that_nobody_knows_are_none_and_may_be_ended(machines: Machines) -> None:
    cloud = made()
    assert cloud.instance("i-0123456789abcdef0") is None
    cloud.terminate(["i-0123456789abcdef0"])
    assert cloud.instances() == {}


def test_where_nobody_listens_there_is_no_answer() -> None:
    cloud = made("http://127.0.0.1:1")
    with pytest.raises(ProviderUnavailable):
        cloud.instances()
    assert cloud.console("i-1") == ""
