"""The provider of virtual machines, on moto, with processes of this host as the machines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lamina.conformance import PROVIDER
from lamina.providers import TERMINAL_STATES, BlockRequest, JobState, JobStatus
from lamina.providers_aws import AWSProvider
from lamina.vocabulary import BlockId, ConfigError, JobId
from tests.fakes.aws_machines import Machines, emulated, end
from tests.fakes.kubernetes_api import until
from tests.kits import as_tests


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with emulated(tmp_path_factory.mktemp("machines")) as found:
        yield found


def made(machines: Machines, **options: Any) -> AWSProvider:
    image = next(iter(machines.backend.amis.values()))
    return AWSProvider(image.id, status_polling_interval=0.1, **options)


class TestKit(as_tests(PROVIDER, lambda: made(TestKit.machines))):  # type: ignore[misc]
    machines: Machines

    @pytest.fixture(autouse=True)
    def cloud(self, machines: Machines) -> None:
        TestKit.machines = machines


def request(place: Path, command: str) -> BlockRequest:
    return BlockRequest(
        block=BlockId("0"),
        name="lamina.My Label.block-0",
        command=command,
        script_dir=place,
        stdout=place / "out",
        stderr=place / "err",
    )


def reaches(provider: AWSProvider, job: JobId, *states: JobState) -> JobStatus:
    def look() -> JobStatus | None:
        status = provider.poll([job])[job]
        return status if status.state in (states or TERMINAL_STATES) else None

    found: JobStatus = until(look)
    return found


def test_a_block_of_two_nodes_is_two_machines_that_end_together(
    machines: Machines, tmp_path: Path
) -> None:
    mine = made(machines, nodes_per_block=2)
    job = mine.submit(request(tmp_path, "sleep 60"))
    assert job.startswith("lamina.My-Label.block-0-")
    reaches(mine, job, JobState.RUNNING)
    found = machines.of_block(job)
    assert len(found) == 2
    mine.cancel([job])
    assert reaches(mine, job).state is JobState.CANCELLED
    assert {one._state.name for one in found} == {"terminated"}


def test_a_spot_machine_that_amazon_takes_back_was_preempted(
    machines: Machines, tmp_path: Path
) -> None:
    mine = made(machines, spot_max_bid=0.1)
    job = mine.submit(request(tmp_path, "sleep 60"))
    reaches(mine, job, JobState.RUNNING)
    [instance] = machines.of_block(job)
    assert instance.lifecycle == "spot"
    end(instance, "Server.SpotInstanceTermination", "Spot instance termination")
    status = reaches(mine, job)
    assert status.state is JobState.PREEMPTED
    assert status.reason.startswith("Amazon wanted its spot machine back")
    assert mine.poll([job])[job] == status


def test_a_plan_shows_the_script_and_contacts_nobody(tmp_path: Path) -> None:
    mine = AWSProvider("ami-1", spot_max_bid=1, worker_init="module load x")
    how, script = mine.described(request(tmp_path, "run it"))
    assert how == "EC2 in us-east-2: 1 of t2.small, spot"
    assert script.endswith("module load x\nrun it\n")
    assert "shutdown -h +60" in script
    assert (mine.takes_luggage, mine.blocks_are_local) == (True, False)


@pytest.mark.parametrize(
    "options, says",
    [
        ({"image_id": ""}, "image_id is ''"),
        ({"region": None}, "region is None"),
        ({"key_name": ""}, "write text, or leave it out"),
        ({"max_blocks": 0}, "max_blocks is 0"),
        ({"init_blocks": 11}, "init_blocks is 11; make it a whole number up to max_blocks"),
        ({"spot_max_bid": -1}, "spot_max_bid is -1; make it 0 or more"),
        ({"security_group_ids": "sg-1"}, "write a list of text"),
        ({"worker_init": None}, "it must be text"),
        ({"walltime": "x"}, "walltime is 'x'"),
        ({"cmd_timeout": "x"}, "cmd_timeout is 'x'"),
        ({"status_polling_interval": -1}, "status_polling_interval is -1"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AWSProvider(**{"image_id": "ami-1", **options})
    assert says in str(caught.value)
