import base64
import subprocess
from pathlib import Path

import attrs

from lamina.providers import BlockRequest, Luggage
from lamina.providers_aws.requests import MachineOptions, instances, user_data
from lamina.vocabulary import BlockId

PLAIN = MachineOptions(
    image_id="ami-1",
    instance_type="t2.small",
    nodes=2,
    worker_init="echo before",
    key_name=None,
    spot_max_bid=0,
    iam_instance_profile_arn=None,
    subnet_id=None,
    security_group_ids=(),
    walltime=None,
)


def request(luggage: Luggage | None = None) -> BlockRequest:
    here = Path("/nowhere")
    return BlockRequest(
        block=BlockId("0"),
        name="block",
        command="echo plain",
        script_dir=here,
        stdout=here,
        stderr=here,
        luggage=luggage,
    )


def test_all_machines_of_a_block_are_asked_for_at_once_and_marked() -> None:
    asked = instances("it", "run", "script", PLAIN)
    assert (asked["MinCount"], asked["MaxCount"], asked["ClientToken"]) == (2, 2, "it")
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    [tags] = [one["Tags"] for one in asked["TagSpecifications"]]
    assert {one["Key"]: one["Value"] for one in tags} == {
        "Name": "it",
        "lamina:block": "it",
        "lamina:run": "run",
    }
    assert "InstanceMarketOptions" not in asked
    assert "KeyName" not in asked


def test_options_are_in_what_is_asked_for() -> None:
    options = attrs.evolve(
        PLAIN,
        key_name="key",
        spot_max_bid=0.5,
        iam_instance_profile_arn="arn:x",
        subnet_id="subnet-1",
        security_group_ids=("sg-1",),
    )
    asked = instances("it", "run", "script", options)
    assert asked["KeyName"] == "key"
    assert asked["IamInstanceProfile"] == {"Arn": "arn:x"}
    assert (asked["SubnetId"], asked["SecurityGroupIds"]) == ("subnet-1", ["sg-1"])
    spot = asked["InstanceMarketOptions"]
    assert (spot["MarketType"], spot["SpotOptions"]["MaxPrice"]) == ("spot", "0.5")


def test_the_script_opens_the_luggage_runs_and_shuts_the_machine_down(tmp_path: Path) -> None:
    shutdown = tmp_path / "shutdown"
    shutdown.write_text(f'#!/bin/bash\necho "$*" >> {tmp_path}/said\n')
    shutdown.chmod(0o755)
    content = bytes(range(256))
    command = 'stat -c %a "$LAMINA_LUGGAGE"/keys/*; cat "$LAMINA_LUGGAGE/keys/a b"; exit 5'
    luggage = Luggage(files={"keys/a b": content}, command=command)
    script = user_data("it", request(luggage), attrs.evolve(PLAIN, walltime=90.0))
    assert base64.b64encode(content).decode() in script
    script = script.replace("/dev/console", str(tmp_path / "console"))
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.stdout == b"before\n600\n" + content + b"lamina-exit it 5\n"
    assert (tmp_path / "console").read_text() == "lamina-exit it 5\n"
    assert (tmp_path / "said").read_text() == "-h +2\n-h now\n"


def test_without_luggage_the_command_itself_is_run() -> None:
    assert user_data("it", request(), PLAIN).endswith("echo before\necho plain\n")
